// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper int anon_ttu_helper_mm_has_notifiers(struct mm_struct *mm)
{
	return mm_has_notifiers(mm);
}

__anon_ttu_helper
void anon_ttu_helper_mmu_notifier_invalidate_range_start(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_start(range);
}

__anon_ttu_helper
void anon_ttu_helper_mmu_notifier_invalidate_range_end(struct mmu_notifier_range *range)
{
	mmu_notifier_invalidate_range_end(range);
}
