// SPDX-License-Identifier: GPL-2.0

//! TLB flushes that the running task puts off.
//!
//! C headers: [`include/linux/mm_types_task.h`](srctree/include/linux/mm_types_task.h), the
//! architecture's `asm/tlbflush.h`

use super::{
    bindings,
    mm::Mm,
    pte::Pte,
    vma::Vma, //
};
use core::ops::Range;
use kernel::types::NotThreadSafe;

/// The running task's batch of flushes (`current->tlb_ubc`).
pub(crate) struct UnmapBatch {
    ubc: *mut bindings::tlbflush_unmap_batch,
    _nts: NotThreadSafe,
}

impl UnmapBatch {
    /// Returns the batch of the running task.
    pub(crate) fn current() -> Self {
        Self {
            // SAFETY: There is always a running task here; the value cannot leave its thread.
            ubc: unsafe { bindings::current_tlb_ubc() },
            _nts: NotThreadSafe,
        }
    }

    /// Notes that `range` of `vma` has to be flushed (`arch_tlbbatch_add_pending()`).
    pub(crate) fn add_pending(&mut self, vma: &Vma, range: &Range<usize>) {
        // SAFETY: Only the running task uses its batch, and the VMA is alive.
        unsafe {
            bindings::arch_tlbbatch_add_pending(
                &raw mut (*self.ubc).arch,
                vma.as_ptr(),
                range.start,
                range.end,
            );
            (*self.ubc).flush_required = true;
        }
    }

    /// Notes that a flushed entry may have been written through.
    pub(crate) fn set_writable(&mut self) {
        // SAFETY: Only the running task uses its batch.
        unsafe { (*self.ubc).writable = true }
    }
}

/// Returns whether putting a flush off saves interrupts (`arch_tlbbatch_should_defer()`).
pub(crate) fn should_defer(mm: &Mm) -> bool {
    // SAFETY: The mm is alive.
    unsafe { bindings::arch_tlbbatch_should_defer(mm.as_ptr()) }
}

/// Returns whether a CPU may have cached the entry (`pte_accessible()`).
pub(crate) fn pte_accessible(mm: &Mm, pte: Pte) -> bool {
    // SAFETY: The mm is alive, and the entry is a value.
    unsafe { bindings::pte_accessible(mm.as_ptr(), pte.0) }
}

/// Does all flushes that the running task has put off (`try_to_unmap_flush()`).
pub(crate) fn try_to_unmap_flush() {
    // SAFETY: Called from process context, with no page table lock held by us.
    unsafe { bindings::try_to_unmap_flush() }
}
