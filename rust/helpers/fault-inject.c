// SPDX-License-Identifier: GPL-2.0

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
__anon_ttu_helper void anon_ttu_helper_init_fault_attr(struct fault_attr *attr)
{
	*attr = (struct fault_attr)FAULT_ATTR_INITIALIZER;
}
#endif
