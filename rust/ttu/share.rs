// SPDX-License-Identifier: GPL-2.0

//! Giving up the exclusivity of pages that may get a second user.

use super::{
    batch::BatchLen,
    tally::Stop, //
};
use crate::sys::{
    barrier,
    cleared::ClearedPtes,
    folio::Folio, //
};

/// Marks the next `nr` pages of `cleared` as possibly shared, unless the folio may be pinned.
///
/// All or none: clearing the flags cannot be undone, so it is the last step that can fail. The
/// letters are those of the comment in `__folio_try_share_anon_rmap()` in
/// [`include/linux/rmap.h`](srctree/include/linux/rmap.h), which this mirrors for a batch. (A1),
/// clearing the entries, is what `cleared` proves; GUP-fast does (B1) to (B5) in
/// [`mm/gup.c`](srctree/mm/gup.c).
///
/// Context: page table lock held.
pub(super) fn try_share_anon_rmap_ptes(
    folio: &Folio,
    cleared: &ClearedPtes<'_, '_>,
    nr: BatchLen,
) -> Result<(), Stop> {
    // Between (A1) and (A2): pairs with the barrier in try_grab_folio(), between (B3) and (B4).
    barrier::smp_mb();

    // (A2)
    if folio.maybe_dma_pinned() {
        return Err(Stop::Pinned);
    }
    // (A3)
    for index in 0..nr.get() {
        if let Some(page) = cleared.page(index) {
            page.clear_anon_exclusive(cleared);
        }
    }

    // Between (A3) and (A4): pairs with the smp_rmb() in gup_must_unshare(), before (B5).
    barrier::smp_mb_after_atomic();
    Ok(())
}
