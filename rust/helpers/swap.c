// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
struct swap_cluster_info *anon_ttu_helper_swap_cluster_get_and_lock(const struct folio *folio)
{
	return swap_cluster_get_and_lock(folio);
}

__anon_ttu_helper
void anon_ttu_helper_swap_cluster_unlock(struct swap_cluster_info *ci)
{
	swap_cluster_unlock(ci);
}
