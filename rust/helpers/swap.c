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

__anon_ttu_helper
unsigned int anon_ttu_helper_swp_cluster_offset(swp_entry_t entry)
{
	return swp_cluster_offset(entry);
}

__anon_ttu_helper
swp_entry_t anon_ttu_helper_page_swap_entry(struct page *page)
{
	return page_swap_entry(page);
}
