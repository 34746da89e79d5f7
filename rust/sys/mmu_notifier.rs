// SPDX-License-Identifier: GPL-2.0

//! Telling secondary MMUs (KVM, IOMMU SVA, GPUs) that a range of addresses changes.
//!
//! C header: [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

use super::{
    bindings,
    mm::Mm, //
};
use core::{
    marker::PhantomData,
    ops::Range,
    ptr, //
};

/// An invalidation that has been announced; dropping it announces the end.
///
/// # Invariants
///
/// `range` is initialised and `mmu_notifier_invalidate_range_start()` was called with it.
#[must_use = "the invalidation ends at once when the guard is unused"]
pub(crate) struct Invalidation<'a> {
    range: bindings::mmu_notifier_range,
    _mm: PhantomData<&'a Mm>,
}

impl<'a> Invalidation<'a> {
    /// Announces that the entries for `range` of `mm` will be cleared (`MMU_NOTIFY_CLEAR`).
    ///
    /// Context: may sleep; no page table lock may be held.
    pub(crate) fn start(mm: &'a Mm, range: Range<usize>) -> Self {
        // As mmu_notifier_range_init() does.
        let mut this = Self {
            range: bindings::mmu_notifier_range {
                mm: mm.as_ptr(),
                start: range.start,
                end: range.end,
                flags: 0,
                event: bindings::mmu_notifier_event_MMU_NOTIFY_CLEAR,
                owner: ptr::null_mut(),
            },
            _mm: PhantomData,
        };
        // SAFETY: The range is initialised, and `mm` is alive.
        unsafe { bindings::mmu_notifier_invalidate_range_start(&mut this.range) };
        // INVARIANT: Just announced. It has no pointers to itself and may move.
        this
    }
}

impl Drop for Invalidation<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the start was announced; `_mm` has kept the mm alive.
        unsafe { bindings::mmu_notifier_invalidate_range_end(&mut self.range) }
    }
}
