// SPDX-License-Identifier: GPL-2.0

//! Pages that `MADV_FREE` or `MAP_DROPPABLE` allows to be dropped.

use super::tally::{
    Stop,
    Tally, //
};
use crate::sys::{
    barrier,
    cleared::ClearedPtes,
    fault,
    folio::LockedFolio, //
};

/// Drops the pages of cleared entries, unless somebody has written to them or still uses them.
///
/// Mirrors `ttu_anon_lazyfree_folio()` in [`mm/rmap.c`](srctree/mm/rmap.c).
///
/// Context: page table lock held, entries cleared.
pub(super) fn ttu_anon_lazyfree_folio(
    folio: &LockedFolio<'_>,
    cleared: &mut ClearedPtes<'_, '_>,
    tally: &mut Tally,
) -> Result<(), Stop> {
    // Against GUP-fast, which takes a reference, has a barrier, and reads the entry again: here
    // the entry is cleared, then a barrier, then the references are read.
    barrier::smp_mb();
    let ref_count = folio.ref_count();
    let map_count = folio.mapcount();
    // The references have to be read before the dirty flag, as in __remove_mapping(): who drops
    // a reference has set the flag before.
    barrier::smp_rmb();

    let dirty = folio.is_dirty() || fault::LAZYFREE_DIRTY.should_fail();
    if dirty && !cleared.vma().is_droppable() {
        folio.set_swapbacked();
        return Err(Stop::Redirtied);
    }
    // One reference is that of whoever has isolated the folio.
    if ref_count != 1 + map_count || fault::LAZYFREE_REFERENCES.should_fail() {
        return Err(Stop::ExtraReferences);
    }

    let nr = cleared.pages().nr();
    tally.add_run(nr);
    cleared.commit_empty(nr);
    Ok(())
}
