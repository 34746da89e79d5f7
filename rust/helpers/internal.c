// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
void anon_ttu_helper_mlock_vma_folio(struct folio *folio, struct vm_area_struct *vma)
{
	mlock_vma_folio(folio, vma);
}

__anon_ttu_helper
void anon_ttu_helper_mm_prepare_for_swap_entries(struct mm_struct *mm)
{
	mm_prepare_for_swap_entries(mm);
}

__anon_ttu_helper pte_t anon_ttu_helper_pte_next_swp_offset(pte_t pte)
{
	return pte_next_swp_offset(pte);
}

__anon_ttu_helper
unsigned long anon_ttu_helper_vma_address_end(struct page_vma_mapped_walk *pvmw)
{
	return vma_address_end(pvmw);
}

/* reclaim_pages() for one folio, which has been isolated. */
__anon_ttu_helper
unsigned long anon_ttu_helper_reclaim_folio(struct folio *folio)
{
	LIST_HEAD(folios);

	/*
	 * Who finds the folio in the swap cache meanwhile takes the list head for
	 * page->compound_info: of that only bit 0 matters, which no pointer has.
	 */
	data_race(({ list_add(&folio->lru, &folios); 0; }));
	return reclaim_pages(&folios);
}
