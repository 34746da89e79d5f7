// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper pte_t anon_ttu_helper_swp_entry_to_pte(swp_entry_t entry)
{
	return swp_entry_to_pte(entry);
}

__anon_ttu_helper
swp_entry_t anon_ttu_helper_make_hwpoison_entry(struct page *page)
{
	return make_hwpoison_entry(page);
}
