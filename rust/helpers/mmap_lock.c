// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
int anon_ttu_helper_mmap_read_lock_killable(struct mm_struct *mm)
{
	return mmap_read_lock_killable(mm);
}

__anon_ttu_helper void anon_ttu_helper_mmap_read_unlock(struct mm_struct *mm)
{
	mmap_read_unlock(mm);
}
