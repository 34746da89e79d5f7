// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
void anon_ttu_helper_flush_cache_range(struct vm_area_struct *vma, unsigned long start,
				       unsigned long end)
{
	flush_cache_range(vma, start, end);
}
