// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper int anon_ttu_helper_swp_tb_get_count(unsigned long swp_tb)
{
	return swp_tb_get_count(swp_tb);
}

__anon_ttu_helper bool anon_ttu_helper_swp_tb_is_folio(unsigned long swp_tb)
{
	return swp_tb_is_folio(swp_tb);
}

__anon_ttu_helper
unsigned long anon_ttu_helper___swap_table_get(struct swap_cluster_info *ci, unsigned int off)
{
	return __swap_table_get(ci, off);
}

__anon_ttu_helper
void anon_ttu_helper___swap_table_set(struct swap_cluster_info *ci, unsigned int off,
				      unsigned long swp_tb)
{
	__swap_table_set(ci, off, swp_tb);
}

__anon_ttu_helper
unsigned long anon_ttu_helper___swp_tb_mk_count(unsigned long swp_tb, int count)
{
	return __swp_tb_mk_count(swp_tb, count);
}

/* Not a constant expression where a constant would need one. */
__anon_ttu_helper int anon_ttu_helper_swp_tb_count_max(void)
{
	return SWP_TB_COUNT_MAX;
}
