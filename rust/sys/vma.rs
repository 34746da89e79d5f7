// SPDX-License-Identifier: GPL-2.0

//! Areas of virtual memory.
//!
//! C header: [`include/linux/mm_types.h`](srctree/include/linux/mm_types.h)

use super::{
    bindings,
    mm::Mm, //
};
use core::ops::Range;
use kernel::types::Opaque;

/// A `struct vm_area_struct` that cannot go away or change its bounds.
///
/// # Invariants
///
/// While the reference lives, the area is kept by the mmap lock, or by the lock of the anon_vma
/// under which an rmap walk has found it.
#[repr(transparent)]
pub(crate) struct Vma(Opaque<bindings::vm_area_struct>);

impl Vma {
    /// Creates a reference from a raw pointer.
    ///
    /// # Safety
    ///
    /// For `'a` the area must be kept as the type invariants say.
    pub(super) unsafe fn from_raw<'a>(vma: *mut bindings::vm_area_struct) -> &'a Self {
        // SAFETY: `Self` is a transparent wrapper, and the caller keeps the area alive.
        unsafe { &*vma.cast() }
    }

    /// Returns the raw pointer.
    pub(super) fn as_ptr(&self) -> *mut bindings::vm_area_struct {
        self.0.get()
    }

    /// Returns the address space that the area belongs to.
    pub(crate) fn mm(&self) -> &Mm {
        // SAFETY: By the type invariants the area is alive; it keeps its `vm_mm` for as long.
        unsafe { Mm::from_raw((*self.as_ptr()).vm_mm) }
    }

    /// Returns the addresses that the area spans.
    pub(crate) fn range(&self) -> Range<usize> {
        // SAFETY: By the type invariants the bounds do not change.
        unsafe {
            let bounds = &(*self.as_ptr()).__bindgen_anon_1.__bindgen_anon_1;
            bounds.vm_start..bounds.vm_end
        }
    }

    fn has_flags(&self, flags: usize) -> bool {
        // SAFETY: The area is alive. Its flags may change meanwhile, in one store
        // (`vma_flags_reset_once()`): no lock that an rmap walk has keeps them.
        let now =
            unsafe { (&raw const (*self.as_ptr()).__bindgen_anon_2.vm_flags).read_volatile() };
        now & flags != 0
    }

    /// Returns whether the area is mlocked (`VM_LOCKED`).
    pub(crate) fn is_mlocked(&self) -> bool {
        self.has_flags(bindings::VM_LOCKED)
    }

    /// Returns whether its pages may be dropped under memory pressure (`VM_DROPPABLE`).
    pub(crate) fn is_droppable(&self) -> bool {
        self.has_flags(bindings::VM_DROPPABLE)
    }

    /// `vma_is_anonymous()`: no file, no shmem, no hugetlb, no special mapping.
    pub(crate) fn is_anonymous(&self) -> bool {
        // SAFETY: By the type invariants the area is alive; this does not change while it is.
        unsafe { (*self.as_ptr()).vm_ops.is_null() }
    }

    /// `userfaultfd_armed()`.
    pub(crate) fn userfaultfd_armed(&self) -> bool {
        // SAFETY: By the type invariants the area is alive.
        unsafe { bindings::userfaultfd_armed(self.as_ptr()) }
    }

    /// `flush_tlb_range()`: no CPU uses an old translation of `range` afterwards.
    pub(crate) fn flush_tlb_range(&self, range: &Range<usize>) {
        // SAFETY: By the type invariants the area is alive.
        unsafe { bindings::flush_tlb_range(self.as_ptr(), range.start, range.end) }
    }
}
