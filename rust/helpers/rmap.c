// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
void anon_ttu_helper_page_vma_mapped_walk_init(struct page_vma_mapped_walk *pvmw,
					       struct folio *folio, struct vm_area_struct *vma,
					       unsigned long address, unsigned int flags)
{
	DEFINE_FOLIO_VMA_WALK(walk, folio, vma, address, flags);

	*pvmw = walk;
}

__anon_ttu_helper
void anon_ttu_helper_page_vma_mapped_walk_done(struct page_vma_mapped_walk *pvmw)
{
	page_vma_mapped_walk_done(pvmw);
}

__anon_ttu_helper
void anon_ttu_helper_page_vma_mapped_walk_restart(struct page_vma_mapped_walk *pvmw)
{
	page_vma_mapped_walk_restart(pvmw);
}
