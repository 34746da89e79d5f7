// SPDX-License-Identifier: GPL-2.0

//! Giving up the exclusivity of pages that may get a second user.

use super::tally::Stop;
use crate::sys::{
    barrier,
    cleared::ClearedPtes,
    fault,
    folio::Folio,
    page::Pages, //
};

/// Who gives up the exclusivity of pages whose entries are cleared.
///
/// Mirrors `__folio_try_share_anon_rmap()` in
/// [`include/linux/rmap.h`](srctree/include/linux/rmap.h) for the runs of a batch, and has the
/// letters of the comment there. (A1), clearing the entries, is what a [`ClearedPtes`] proves;
/// GUP-fast does (B1) to (B5) in [`mm/gup.c`](srctree/mm/gup.c).
pub(super) struct Sharer<'a> {
    folio: &'a Folio,
    /// The folio was not pinned after all entries of the batch had been cleared. Through those it
    /// cannot be pinned any more, so that one look serves all runs.
    not_pinned: bool,
}

impl<'a> Sharer<'a> {
    /// To be made when the entries of the batch are cleared.
    pub(super) fn new(folio: &'a Folio) -> Self {
        Self {
            folio,
            not_pinned: false,
        }
    }

    /// Marks `pages`, whose entries are in `cleared`, as possibly shared, unless the folio may be
    /// pinned.
    ///
    /// All or none: clearing the flags cannot be undone, so it is the last step that can fail.
    ///
    /// Context: page table lock held.
    #[inline]
    pub(super) fn try_share_anon_rmap_ptes(
        &mut self,
        cleared: &ClearedPtes<'_, '_>,
        pages: Pages<'_>,
    ) -> Result<(), Stop> {
        if fault::SHARE_ANON_RMAP.should_fail() {
            return Err(Stop::Pinned);
        }
        if !self.not_pinned {
            // Between (A1) and (A2): pairs with the barrier in try_grab_folio_fast(), between (B3) and
            // (B4).
            barrier::smp_mb();

            // (A2)
            if self.folio.maybe_dma_pinned() {
                return Err(Stop::Pinned);
            }
            self.not_pinned = true;
        }
        // (A3)
        pages.clear_anon_exclusive(cleared);

        // Between (A3) and (A4): pairs with the smp_rmb() in gup_must_unshare(), before (B5).
        barrier::smp_mb_after_atomic();
        Ok(())
    }
}
