// SPDX-License-Identifier: GPL-2.0

/* For @nr pages, at least one. */
__anon_ttu_helper
void anon_ttu_helper_ClearPageAnonExclusive(struct page *page, unsigned int nr)
{
	do {
		ClearPageAnonExclusive(page++);
	} while (--nr);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_contain_hwpoisoned_page(struct folio *folio)
{
	return folio_contain_hwpoisoned_page(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_is_zone_device(const struct folio *folio)
{
	return folio_is_zone_device(folio);
}

__anon_ttu_helper void anon_ttu_helper_folio_set_swapbacked(struct folio *folio)
{
	folio_set_swapbacked(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_anon(const struct folio *folio)
{
	return folio_test_anon(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_dirty(const struct folio *folio)
{
	return folio_test_dirty(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_hugetlb(const struct folio *folio)
{
	return folio_test_hugetlb(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_hwpoison(const struct folio *folio)
{
	return folio_test_hwpoison(folio);
}

__anon_ttu_helper bool anon_ttu_helper_folio_test_ksm(const struct folio *folio)
{
	return folio_test_ksm(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_large(const struct folio *folio)
{
	return folio_test_large(folio);
}

__anon_ttu_helper bool anon_ttu_helper_folio_test_lru(const struct folio *folio)
{
	return folio_test_lru(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_mlocked(const struct folio *folio)
{
	return folio_test_mlocked(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_unevictable(const struct folio *folio)
{
	return folio_test_unevictable(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_test_writeback(const struct folio *folio)
{
	return folio_test_writeback(folio);
}
