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
    mem::MaybeUninit,
    ops::Range, //
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
        let mut raw = MaybeUninit::uninit();
        // SAFETY: `raw` has room for the object, and `mm` is alive.
        let range = unsafe {
            bindings::mmu_notifier_range_init(
                raw.as_mut_ptr(),
                mm.as_ptr(),
                range.start,
                range.end,
            );
            let mut range = raw.assume_init();
            bindings::mmu_notifier_invalidate_range_start(&mut range);
            range
        };
        // INVARIANT: Just initialised and announced. It has no pointers to itself and may move.
        Self {
            range,
            _mm: PhantomData,
        }
    }
}

impl Drop for Invalidation<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the start was announced; `_mm` has kept the mm alive.
        unsafe { bindings::mmu_notifier_invalidate_range_end(&mut self.range) }
    }
}
