// SPDX-License-Identifier: GPL-2.0

//! Swap slots of a folio.
//!
//! C header: [`mm/swap.h`](srctree/mm/swap.h)

use super::{
    bindings,
    fault,
    folio::{
        Folio,
        LockedFolio, //
    },
    page::Page,
    swap_table::SwapClusterGuard, //
};
use core::ops::Deref;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// A slot on a swap device (`swp_entry_t`).
#[derive(Clone, Copy)]
pub(crate) struct SwapEntry(bindings::swp_entry_t);

impl SwapEntry {
    /// Returns the raw value.
    #[inline]
    pub(super) fn raw(self) -> bindings::swp_entry_t {
        self.0
    }

    /// Returns the place of the slot in the table of its cluster (`swp_cluster_offset()`).
    #[inline]
    pub(super) fn cluster_offset(self) -> usize {
        // The offset is what the lower bits hold, and clusters are aligned.
        self.0.val % bindings::SWAPFILE_CLUSTER
    }
}

/// A locked folio in the swap cache: each of its pages has a slot, and the slots stay.
///
/// # Invariants
///
/// The folio is locked and in the swap cache.
#[derive(Clone, Copy)]
pub(crate) struct SwapCacheFolio<'a>(&'a LockedFolio<'a>);

impl<'a> SwapCacheFolio<'a> {
    /// Returns the folio with that knowledge, if it is so.
    pub(crate) fn new(folio: &'a LockedFolio<'_>) -> Option<Self> {
        // INVARIANT: Just checked; the folio lock keeps it so.
        folio.in_swapcache().then_some(Self(folio))
    }

    /// Returns the slot of `page` (`page_swap_entry()`).
    pub(crate) fn entry(&self, page: Page<'_>) -> SwapEntry {
        // SAFETY: By the type invariants the folio has slots, and they do not change. They follow
        // each other as its pages do.
        let mut entry = unsafe {
            (*self.as_ptr())
                .__bindgen_anon_1
                .__bindgen_anon_1
                .__bindgen_anon_3
                .swap
        };
        // No overflow: the slots of a folio follow each other.
        entry.val = entry.val.wrapping_add(page.folio_page_idx() as usize);
        SwapEntry(entry)
    }

    /// Counts a reference to the slot of one page (`folio_dup_swap()`).
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the count is at the limit of the swap table and there is no memory for more,
    /// `EINVAL` if the slot is bad, `ENOENT` if it is free.
    pub(crate) fn dup_swap(&self, page: Page<'_>) -> Result {
        if fault::SWAP_DUP.should_fail() {
            return Err(ENOMEM);
        }
        // SAFETY: By the type invariants the folio is locked and in the swap cache.
        to_result(unsafe { bindings::folio_dup_swap(self.as_ptr(), page.as_ptr()) })
    }

    /// Takes back a reference to the slot of one page (`folio_put_swap()`).
    ///
    /// The reference must have been counted by this caller, and not be in any page table.
    pub(crate) fn put_swap(&self, page: Page<'_>) {
        // SAFETY: By the type invariants the folio is locked and in the swap cache.
        unsafe { bindings::folio_put_swap(self.as_ptr(), page.as_ptr()) }
    }

    /// Locks the cluster that has all slots of the folio.
    #[inline]
    pub(crate) fn lock_cluster(self) -> SwapClusterGuard<'a> {
        SwapClusterGuard::lock(self)
    }
}

impl Deref for SwapCacheFolio<'_> {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        self.0
    }
}

/// Swap slots that a folio was given, taken back on drop if nothing refers to them.
///
/// # Invariants
///
/// The folio is locked and was put into the swap cache by us.
pub(crate) struct AllocatedSwap<'a>(&'a LockedFolio<'a>);

impl<'a> AllocatedSwap<'a> {
    /// Gives the folio slots on a swap device and puts it into the swap cache.
    ///
    /// The folio is marked dirty: an entry that `MADV_FREE` has cleaned, on a folio that is not
    /// lazily freed, would leave it clean, so that its content was never written
    /// (`mm/vmscan.c: shrink_folio_list()`).
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is no swap space for all of it, or the memory control group may not use
    /// more.
    pub(crate) fn new(folio: &'a LockedFolio<'_>) -> Result<Self> {
        if fault::ALLOC_SWAP.should_fail() {
            return Err(ENOSPC);
        }
        // SAFETY: The folio is locked, anonymous and up to date, being mapped.
        to_result(unsafe { bindings::folio_alloc_swap(folio.as_ptr()) }).map_err(|_| ENOSPC)?;
        folio.mark_dirty();
        // INVARIANT: Just put there.
        Ok(Self(folio))
    }
}

impl Drop for AllocatedSwap<'_> {
    fn drop(&mut self) {
        // Also of a folio that is not mapped: whoever let go of it meanwhile has found it locked,
        // and left the slots to us.
        // SAFETY: By the type invariants the folio is locked. The function does nothing if a page
        // table refers to one of the slots.
        unsafe { bindings::folio_free_swap(self.0.as_ptr()) };
    }
}
