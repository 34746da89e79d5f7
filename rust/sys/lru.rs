// SPDX-License-Identifier: GPL-2.0

//! Taking folios off the lists of reclaim, and handing them to it.
//!
//! C headers: [`mm/internal.h`](srctree/mm/internal.h),
//! [`include/linux/swap.h`](srctree/include/linux/swap.h)

use super::{
    bindings, fault,
    folio::{
        Folio,
        FolioRef, //
    },
};
use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::NonNull, //
};

/// A folio that was taken off its LRU list, so that nobody else reclaims or migrates it; dropping
/// it puts it back.
///
/// # Invariants
///
/// The folio is isolated by us, and we own the reference that comes with that. There is no other
/// one of ours: who counts references would believe that somebody uses the folio.
pub(crate) struct IsolatedFolio(NonNull<bindings::folio>);

impl IsolatedFolio {
    /// Takes the folio off its list (`folio_isolate_lru()`).
    ///
    /// A folio that was just faulted in may still wait in a CPU's batch to be put onto a list:
    /// this CPU's is emptied first, as `MADV_PAGEOUT` does, and all others' if that is not enough.
    ///
    /// Context: may sleep.
    pub(crate) fn isolate(folio: FolioRef) -> Option<Self> {
        if fault::FOLIO_ISOLATE.should_fail() {
            return None;
        }
        // SAFETY: Called from process context, which may sleep; we hold a reference to the folio.
        let isolated = unsafe {
            bindings::lru_add_drain();
            if !bindings::folio_test_lru(folio.as_ptr()) {
                bindings::lru_add_drain_all();
            }
            bindings::folio_isolate_lru(folio.as_ptr())
        };
        // INVARIANT: Just isolated; `folio`, the other reference, is dropped at the end.
        isolated.then(|| Self(NonNull::from(&*folio).cast()))
    }

    /// Has reclaim write the folio to its swap device and free it, as `MADV_PAGEOUT` does
    /// (`mm/vmscan.c: reclaim_pages()`). What it cannot free goes back onto its list.
    ///
    /// Returns the number of pages that were freed: none of a folio that is unevictable.
    ///
    /// Context: may sleep; the folio must not be locked.
    pub(crate) fn reclaim(self) -> usize {
        // Nobody sets it while the folio is isolated.
        if self.is_unevictable() {
            return 0;
        }
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariants the folio is isolated, so that its list head is ours, and
        // it can be evicted; the call takes over the reference, and `this` is not used again.
        unsafe { bindings::reclaim_folio(this.0.as_ptr()) }
    }
}

impl Deref for IsolatedFolio {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        // SAFETY: By the type invariants we own a reference.
        unsafe { Folio::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for IsolatedFolio {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the folio is isolated; this gives up that reference.
        unsafe { bindings::folio_putback_lru(self.0.as_ptr()) }
    }
}
