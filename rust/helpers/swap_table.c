// SPDX-License-Identifier: GPL-2.0

/* Not constant expressions where constants would need them. */
__anon_ttu_helper unsigned long anon_ttu_helper_swp_tb_one(void)
{
	return __count_to_swp_tb(1);
}

__anon_ttu_helper unsigned long anon_ttu_helper_swp_tb_count_limit(void)
{
	return __count_to_swp_tb(SWP_TB_COUNT_MAX - 1);
}
