// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper void anon_ttu_helper_smp_mb(void)
{
	smp_mb();
}

__anon_ttu_helper void anon_ttu_helper_smp_mb__after_atomic(void)
{
	smp_mb__after_atomic();
}

__anon_ttu_helper void anon_ttu_helper_smp_rmb(void)
{
	smp_rmb();
}
