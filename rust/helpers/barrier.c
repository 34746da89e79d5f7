// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper void anon_ttu_helper_smp_mb(void)
{
	/* What it pairs with is said where it is called. */
	smp_mb();
}

#ifndef CONFIG_X86
__anon_ttu_helper void anon_ttu_helper_smp_mb__after_atomic(void)
{
	/* As above. */
	smp_mb__after_atomic();
}
#endif

__anon_ttu_helper void anon_ttu_helper_smp_rmb(void)
{
	/* As above. */
	smp_rmb();
}
