// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
void anon_ttu_helper_folio_walk_end(struct folio_walk *fw, struct vm_area_struct *vma)
{
	folio_walk_end(fw, vma);
}
