// SPDX-License-Identifier: GPL-2.0

//! Telling secondary MMUs (KVM, IOMMU SVA, GPUs) that a range of addresses changes.
//!
//! C header: [`include/linux/mmu_notifier.h`](srctree/include/linux/mmu_notifier.h)

use super::{
    bindings,
    fault,
    mm::Mm, //
};
use core::ops::Range;

/// An invalidation that has been announced; dropping it announces the end.
///
/// # Invariants
///
/// `range` is initialised for `mm`, and `mmu_notifier_invalidate_range_start()` was called with it if
/// anybody listens.
#[must_use = "the invalidation ends at once when the guard is unused"]
pub(crate) struct Invalidation<'a> {
    range: bindings::mmu_notifier_range,
    mm: &'a Mm,
}

impl<'a> Invalidation<'a> {
    /// Announces that the entries for `range` of `mm` will be cleared (`MMU_NOTIFY_CLEAR`).
    ///
    /// Context: may sleep; no page table lock may be held.
    #[inline]
    pub(crate) fn start(mm: &'a Mm, range: Range<usize>) -> Self {
        // As mmu_notifier_range_init() does.
        let mut range = bindings::mmu_notifier_range {
            start: range.start,
            end: range.end,
            #[cfg(CONFIG_MMU_NOTIFIER)]
            mm: mm.as_ptr(),
            #[cfg(CONFIG_MMU_NOTIFIER)]
            flags: 0,
            #[cfg(CONFIG_MMU_NOTIFIER)]
            event: bindings::mmu_notifier_event_MMU_NOTIFY_CLEAR,
            #[cfg(CONFIG_MMU_NOTIFIER)]
            owner: core::ptr::null_mut(),
        };
        // SAFETY: May sleep, as the caller was told.
        unsafe { bindings::might_sleep() };
        fault::MMU_NOTIFIER.sleep();
        if has_listeners(mm) {
            range = announce(range);
        }
        // INVARIANT: Announced to whom there is. Nobody can register while an anon_vma lock of the
        // mm is held, which is the case until the end (`mm_take_all_locks()`).
        Self { range, mm }
    }
}

/// Returns whether there is anybody to tell (`mm_has_notifiers()`), or a checker of locks that
/// wants to know in any case.
#[inline]
fn has_listeners(mm: &Mm) -> bool {
    // SAFETY: The mm is alive.
    cfg!(CONFIG_LOCKDEP) || unsafe { bindings::mm_has_notifiers(mm.as_ptr()) != 0 }
}

/// By value: a range that nobody has to be told of never has to be in memory.
#[cold]
fn announce(mut range: bindings::mmu_notifier_range) -> bindings::mmu_notifier_range {
    // SAFETY: The range is initialised, and its mm is alive.
    unsafe { bindings::mmu_notifier_invalidate_range_start(&mut range) };
    range
}

/// As [`announce`].
#[cold]
fn announce_end(mut range: bindings::mmu_notifier_range) {
    // SAFETY: The start was announced with this range, whose mm is still alive.
    unsafe { bindings::mmu_notifier_invalidate_range_end(&mut range) }
}

impl Drop for Invalidation<'_> {
    #[inline]
    fn drop(&mut self) {
        if has_listeners(self.mm) {
            announce_end(self.range);
        }
    }
}
