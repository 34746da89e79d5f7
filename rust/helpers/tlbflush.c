// SPDX-License-Identifier: GPL-2.0

/* On arm64 it would make a VMA on the stack, which it needs only to name the mm. */
__anon_ttu_helper
void anon_ttu_helper_arch_tlbbatch_add_pending(struct arch_tlbflush_unmap_batch *batch,
					       struct vm_area_struct *vma, unsigned long start,
					       unsigned long end)
{
#ifdef CONFIG_ARM64
	__flush_tlb_range(vma, start, end, PAGE_SIZE, 3, TLBF_NOWALKCACHE | TLBF_NOSYNC);
#else
	arch_tlbbatch_add_pending(batch, vma->vm_mm, start, end);
#endif
}

__anon_ttu_helper
bool anon_ttu_helper_arch_tlbbatch_should_defer(struct mm_struct *mm)
{
	return arch_tlbbatch_should_defer(mm);
}

__anon_ttu_helper
void anon_ttu_helper_flush_tlb_range(struct vm_area_struct *vma, unsigned long start,
				     unsigned long end)
{
	flush_tlb_range(vma, start, end);
}

/* The batch of TLB flushes that the running task has put off. */
__anon_ttu_helper
struct tlbflush_unmap_batch *anon_ttu_helper_current_tlb_ubc(void)
{
	return &current->tlb_ubc;
}
