// SPDX-License-Identifier: GPL-2.0

//! Swap slots of a folio, and the counts of references to them.
//!
//! C headers: [`mm/swap.h`](srctree/mm/swap.h), [`mm/swap_table.h`](srctree/mm/swap_table.h)

use super::{
    bindings,
    folio::{
        Folio,
        LockedFolio, //
    },
    page::Page, //
};
use core::ops::Deref;
use kernel::{
    error::to_result,
    prelude::*,
    types::NotThreadSafe, //
};

/// A slot on a swap device (`swp_entry_t`).
#[derive(Clone, Copy)]
pub(crate) struct SwapEntry(bindings::swp_entry_t);

impl SwapEntry {
    /// Returns the raw value.
    pub(super) fn raw(self) -> bindings::swp_entry_t {
        self.0
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
        // SAFETY: By the type invariants the folio of the page has slots.
        SwapEntry(unsafe { bindings::page_swap_entry(page.as_ptr()) })
    }

    /// Counts a reference to the slot of one page (`folio_dup_swap()`).
    ///
    /// # Errors
    ///
    /// `ENOMEM` if the count is at the limit of the swap table and there is no memory for more,
    /// `EINVAL` if the slot is bad.
    pub(crate) fn dup_swap(&self, page: Page<'_>) -> Result {
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

    /// Locks the cluster that has all slots of the folio (`swap_cluster_get_and_lock()`).
    pub(crate) fn lock_cluster(&self) -> SwapClusterGuard<'_> {
        // SAFETY: By the type invariants the folio is locked and in the swap cache.
        let cluster = unsafe { bindings::swap_cluster_get_and_lock(self.as_ptr()) };
        // INVARIANT: Just locked.
        SwapClusterGuard {
            cluster,
            folio: *self,
            _nts: NotThreadSafe,
        }
    }
}

impl Deref for SwapCacheFolio<'_> {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        self.0
    }
}

/// The lock of a swap cluster (`struct swap_cluster_info`).
///
/// # Invariants
///
/// `cluster` has the slots of `folio` and its lock is held.
#[must_use = "the cluster is unlocked at once when the guard is unused"]
pub(crate) struct SwapClusterGuard<'a> {
    cluster: *mut bindings::swap_cluster_info,
    folio: SwapCacheFolio<'a>,
    _nts: NotThreadSafe,
}

impl SwapClusterGuard<'_> {
    /// Returns the place of the slot of `page` in the cluster's table.
    pub(crate) fn offset(&self, page: Page<'_>) -> u32 {
        // SAFETY: The function only computes with the value that it is given.
        unsafe { bindings::swp_cluster_offset(self.folio.entry(page).raw()) }
    }

    /// Adds `step` to the count of one slot, if both its old and its new count fit into the table.
    ///
    /// Returns whether it did; else nothing has changed. Slots whose count is kept elsewhere
    /// (`extend_table`) or that have no folio are left to [`SwapCacheFolio::dup_swap`].
    ///
    /// `offset` must be the place of one of the folio's slots.
    pub(crate) fn try_add_count(&mut self, offset: u32, step: i32) -> bool {
        // SAFETY: By the type invariants the cluster's lock is held, which allows its table to be
        // read and written. The folio's slots are within the table.
        unsafe {
            let entry = bindings::__swap_table_get(self.cluster, offset);
            let count = bindings::swp_tb_get_count(entry);
            let new = count + step;
            if count < 0
                || new < 0
                || new >= bindings::swp_tb_count_max()
                || !bindings::swp_tb_is_folio(entry)
            {
                return false;
            }
            bindings::__swap_table_set(
                self.cluster,
                offset,
                bindings::__swp_tb_mk_count(entry, new),
            );
        }
        true
    }
}

impl Drop for SwapClusterGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own the lock.
        unsafe { bindings::swap_cluster_unlock(self.cluster) }
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
        // SAFETY: The folio is locked, anonymous and up to date, being mapped.
        to_result(unsafe { bindings::folio_alloc_swap(folio.as_ptr()) }).map_err(|_| ENOSPC)?;
        folio.mark_dirty();
        // INVARIANT: Just put there.
        Ok(Self(folio))
    }
}

impl Drop for AllocatedSwap<'_> {
    fn drop(&mut self) {
        if self.0.is_mapped() {
            // SAFETY: By the type invariants the folio is locked. The function does nothing if a
            // page table refers to one of the slots.
            unsafe { bindings::folio_free_swap(self.0.as_ptr()) };
        }
    }
}
