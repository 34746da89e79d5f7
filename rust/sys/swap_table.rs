// SPDX-License-Identifier: GPL-2.0

//! The table in which a swap cluster counts the references to its slots.
//!
//! C header: [`mm/swap_table.h`](srctree/mm/swap_table.h)

use super::{
    bindings,
    fault::{
        self,
        Fault, //
    },
    page::Pages,
    swap::SwapCacheFolio, //
};
use core::marker::PhantomData;
use kernel::types::NotThreadSafe;

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

impl<'a> SwapClusterGuard<'a> {
    /// Locks the cluster that has all slots of the folio (`swap_cluster_get_and_lock()`).
    #[inline]
    pub(super) fn lock(folio: SwapCacheFolio<'a>) -> Self {
        // SAFETY: The folio is locked and in the swap cache, as its type says.
        let cluster = unsafe { bindings::swap_cluster_get_and_lock(folio.as_ptr()) };
        // INVARIANT: Just locked.
        Self {
            cluster,
            folio,
            _nts: NotThreadSafe,
        }
    }

    /// Counts one more reference to the slots of `pages`, if all counts fit into the table;
    /// returns whether it did. Else nothing has changed.
    ///
    /// A slot whose count is at the limit of the table (it goes on in `extend_table` then), or
    /// that has no folio, is left to [`SwapCacheFolio::dup_swap`].
    #[inline]
    pub(crate) fn try_dup(&mut self, pages: Pages<'_>) -> bool {
        let slots = self.slots(pages);
        // SAFETY: These only compute constants.
        let (one, limit) = unsafe { (bindings::swp_tb_one(), bindings::swp_tb_count_limit()) };
        // All slots of a folio hold the same but for their counts, and these mostly are the same
        // as well: what was right for the slot before is right for the next.
        let mut checked = None;

        for (done, slot) in slots.clone().enumerate() {
            let value = slot.get();
            if checked != Some(value) || Fault::POSSIBLE {
                if !value.is_folio() || value.0 >= limit || fault::SWAP_COUNT.should_fail() {
                    slots
                        .take(done)
                        .for_each(|slot| slot.set(slot.get().0 - one));
                    return false;
                }
                checked = Some(value);
            }
            // No overflow below the limit.
            slot.set(value.0.wrapping_add(one));
        }
        true
    }

    /// Returns the places of the slots in the cluster's table.
    #[inline]
    fn slots(&mut self, pages: Pages<'_>) -> impl Iterator<Item = Slot<'_>> + Clone {
        let offset = self.folio.entry(pages.first()).cluster_offset();
        // SAFETY: By the type invariants the cluster's lock is held, which keeps its table, and
        // the slots of the folio follow each other in it.
        let first = unsafe { (*self.cluster).table.add(offset) };
        // INVARIANT: As above; the places borrow the guard.
        (0..pages.nr().get() as usize)
            .map(move |index| Slot(first.wrapping_add(index), PhantomData))
    }
}

impl Drop for SwapClusterGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own the lock.
        unsafe { bindings::swap_cluster_unlock(self.cluster) }
    }
}

/// One place in the table, while its lock is held.
///
/// # Invariants
///
/// Points to a word (`atomic_long_t`) of a swap table whose cluster is locked.
#[derive(Clone, Copy)]
struct Slot<'c>(*mut bindings::atomic_long_t, PhantomData<&'c ()>);

/// What a place holds: the count in its highest bits, and what kind of thing has the slot.
#[derive(Clone, Copy, PartialEq, Eq)]
struct SlotValue(usize);

impl Slot<'_> {
    /// `__swap_table_get()`.
    #[inline]
    fn get(self) -> SlotValue {
        // SAFETY: By the type invariants; others may read it at any time, nobody else writes.
        SlotValue(unsafe { self.0.cast::<usize>().read_volatile() })
    }

    /// `__swap_table_set()`.
    #[inline]
    fn set(self, value: usize) {
        // SAFETY: As in `get()`.
        unsafe { self.0.cast::<usize>().write_volatile(value) }
    }
}

impl SlotValue {
    /// `swp_tb_is_folio()`.
    #[inline]
    fn is_folio(self) -> bool {
        self.0 & bindings::SWP_TB_PFN_MARK_MASK == bindings::SWP_TB_PFN_MARK
    }
}
