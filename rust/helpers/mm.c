// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
void anon_ttu_helper_add_mm_counter(struct mm_struct *mm, int member, long value)
{
	add_mm_counter(mm, member, value);
}

__anon_ttu_helper
int anon_ttu_helper_folio_entire_mapcount(const struct folio *folio)
{
	return folio_entire_mapcount(folio);
}

__anon_ttu_helper void anon_ttu_helper_folio_get(struct folio *folio)
{
	folio_get(folio);
}

__anon_ttu_helper int anon_ttu_helper_folio_mapcount(const struct folio *folio)
{
	return folio_mapcount(folio);
}

__anon_ttu_helper bool anon_ttu_helper_folio_mapped(const struct folio *folio)
{
	return folio_mapped(folio);
}

__anon_ttu_helper
bool anon_ttu_helper_folio_maybe_dma_pinned(struct folio *folio)
{
	return folio_maybe_dma_pinned(folio);
}

__anon_ttu_helper
unsigned long anon_ttu_helper_folio_nr_pages(const struct folio *folio)
{
	return folio_nr_pages(folio);
}

__anon_ttu_helper
unsigned long anon_ttu_helper_folio_pfn(const struct folio *folio)
{
	return folio_pfn(folio);
}

__anon_ttu_helper void anon_ttu_helper_folio_put(struct folio *folio)
{
	folio_put(folio);
}

__anon_ttu_helper
void anon_ttu_helper_folio_put_refs(struct folio *folio, int refs)
{
	folio_put_refs(folio, refs);
}

__anon_ttu_helper int anon_ttu_helper_folio_ref_count(const struct folio *folio)
{
	return folio_ref_count(folio);
}

__anon_ttu_helper bool anon_ttu_helper_folio_trylock(struct folio *folio)
{
	return folio_trylock(folio);
}

__anon_ttu_helper bool anon_ttu_helper_is_zero_folio(const struct folio *folio)
{
	return is_zero_folio(folio);
}

__anon_ttu_helper void anon_ttu_helper_update_hiwater_rss(struct mm_struct *mm)
{
	update_hiwater_rss(mm);
}
