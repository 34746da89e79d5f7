// SPDX-License-Identifier: GPL-2.0

#ifdef CONFIG_X86
__anon_ttu_helper pte_t anon_ttu_helper_pte_clear_soft_dirty(pte_t pte)
{
	return pte_clear_soft_dirty(pte);
}

__anon_ttu_helper pte_t anon_ttu_helper_pte_mkdirty(pte_t pte)
{
	return pte_mkdirty(pte);
}

__anon_ttu_helper pte_t anon_ttu_helper_pte_mkyoung(pte_t pte)
{
	return pte_mkyoung(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_young(pte_t pte)
{
	return pte_young(pte);
}

__anon_ttu_helper
pte_t anon_ttu_helper_ptep_get_and_clear(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	return ptep_get_and_clear(mm, addr, ptep);
}
#else
__anon_ttu_helper
pte_t anon_ttu_helper_get_and_clear_ptes(struct mm_struct *mm, unsigned long addr, pte_t *ptep,
					 unsigned int nr)
{
	return get_and_clear_ptes(mm, addr, ptep, nr);
}
#endif

/* A Xen PV domain sees machine frame numbers in its page tables. */
__anon_ttu_helper bool anon_ttu_helper_pte_holds_machine_frames(void)
{
#ifdef CONFIG_X86
	return cpu_feature_enabled(X86_FEATURE_XENPV);
#else
	return false;
#endif
}

__anon_ttu_helper
bool anon_ttu_helper_pte_accessible(struct mm_struct *mm, pte_t pte)
{
	return pte_accessible(mm, pte);
}

__anon_ttu_helper
pte_t anon_ttu_helper_pte_advance_pfn(pte_t pte, unsigned long nr)
{
	return pte_advance_pfn(pte, nr);
}

#ifdef CONFIG_ARM64
__anon_ttu_helper
unsigned int anon_ttu_helper_pte_batch_hint(pte_t *ptep, pte_t pte)
{
	return pte_batch_hint(ptep, pte);
}
#endif

__anon_ttu_helper
void anon_ttu_helper_pte_clear(struct mm_struct *mm, unsigned long addr, pte_t *ptep)
{
	pte_clear(mm, addr, ptep);
}

__anon_ttu_helper bool anon_ttu_helper_pte_dirty(pte_t pte)
{
	return pte_dirty(pte);
}

__anon_ttu_helper unsigned long anon_ttu_helper_pte_pfn(pte_t pte)
{
	return pte_pfn(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_present(pte_t pte)
{
	return pte_present(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_soft_dirty(pte_t pte)
{
	return pte_soft_dirty(pte);
}

__anon_ttu_helper pte_t anon_ttu_helper_pte_swp_mkexclusive(pte_t pte)
{
	return pte_swp_mkexclusive(pte);
}

__anon_ttu_helper pte_t anon_ttu_helper_pte_swp_mksoft_dirty(pte_t pte)
{
	return pte_swp_mksoft_dirty(pte);
}

__anon_ttu_helper pte_t anon_ttu_helper_pte_swp_mkuffd(pte_t pte)
{
	return pte_swp_mkuffd(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_swp_soft_dirty(pte_t pte)
{
	return pte_swp_soft_dirty(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_swp_uffd(pte_t pte)
{
	return pte_swp_uffd(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_uffd(pte_t pte)
{
	return pte_uffd(pte);
}

__anon_ttu_helper bool anon_ttu_helper_pte_unused(pte_t pte)
{
	return pte_unused(pte);
}

__anon_ttu_helper
void anon_ttu_helper_set_pte_at(struct mm_struct *mm, unsigned long addr, pte_t *ptep, pte_t pte)
{
	set_pte_at(mm, addr, ptep, pte);
}

__anon_ttu_helper
void anon_ttu_helper_set_ptes(struct mm_struct *mm, unsigned long addr, pte_t *ptep, pte_t pte,
			      unsigned int nr)
{
	set_ptes(mm, addr, ptep, pte, nr);
}

/* An entry without what the hardware changes by itself, and maybe without what contpte does. */
static pte_t anon_ttu_batch_key(pte_t pte, bool contpte)
{
#ifdef CONFIG_ARM64
	if (!contpte)
		pte = pte_mknoncont(pte);
#endif
	return pte_mkold(pte_mkclean(pte));
}

/* The bits of an entry that are left when those are taken away. */
__anon_ttu_helper pteval_t anon_ttu_helper_pte_batch_mask(bool contpte)
{
	pte_t ones = { .pte = ~0UL };
	pte_t zeroes = { .pte = 0 };

	return anon_ttu_batch_key(ones, contpte).pte ^ anon_ttu_batch_key(zeroes, contpte).pte;
}
