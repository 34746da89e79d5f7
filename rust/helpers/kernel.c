// SPDX-License-Identifier: GPL-2.0

/* The one of the kernel crate is a call, which a kernel without preemption models does not need. */
__anon_ttu_helper void anon_ttu_helper_might_sleep(void)
{
	might_sleep();
}
