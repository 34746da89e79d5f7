// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
unsigned long anon_ttu_helper_softleaf_to_pfn(softleaf_t entry)
{
	return softleaf_to_pfn(entry);
}

__anon_ttu_helper softleaf_t anon_ttu_helper_softleaf_from_pte(pte_t pte)
{
	return softleaf_from_pte(pte);
}
