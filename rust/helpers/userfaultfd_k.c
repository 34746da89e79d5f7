// SPDX-License-Identifier: GPL-2.0

__anon_ttu_helper
bool anon_ttu_helper_userfaultfd_armed(struct vm_area_struct *vma)
{
	return userfaultfd_armed(vma);
}
