// SPDX-License-Identifier: GPL-2.0

//! Replacing cleared entries with swap entries, run by run.

use super::{
    batch::page_anon_exclusive_batch,
    share::try_share_anon_rmap_ptes,
    swap_dup::SwapDup,
    tally::{
        Stop,
        Tally, //
    },
};
use crate::sys::{
    cleared::ClearedPtes,
    mm::MmCounter,
    pte::Pte,
    swap::{
        SwapCacheFolio,
        SwapEntry, //
    },
};

/// Commits all cleared entries as swap entries, in runs whose pages are equally exclusive.
///
/// A run is committed wholly or not at all. When one fails, the runs before it stay committed;
/// its own entries and those behind it are left to the guard, which restores them.
///
/// Mirrors `ttu_anon_swapbacked_folio()` in [`mm/rmap.c`](srctree/mm/rmap.c), for more than one
/// page. `arch_unmap_one()` is not called: only sparc64 has one.
///
/// Context: page table lock held, entries cleared.
pub(super) fn ttu_anon_swapbacked_folio(
    folio: SwapCacheFolio<'_>,
    cleared: &mut ClearedPtes<'_, '_>,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let mm = cleared.vma().mm();

    while let Some(left) = cleared.remaining() {
        let (exclusive, nr) = page_anon_exclusive_batch(left, |index| {
            cleared
                .page(index)
                .is_some_and(|page| page.anon_exclusive())
        });
        let first = cleared.page(0).ok_or(Stop::Inconsistent)?;

        let dup = SwapDup::new(folio, first, nr)?;
        if exclusive {
            try_share_anon_rmap_ptes(&folio, cleared, nr)?;
        }

        // No failure from here on.
        mm.prepare_for_swap_entries();
        let entry = dup.keep();
        let pages = nr.get() as isize;
        mm.add_counter(MmCounter::AnonPages, -pages);
        mm.add_counter(MmCounter::SwapEnts, pages);
        tally.add_run(nr);
        let swap = swp_pte_prepare(entry, cleared.front_pteval(), exclusive);
        cleared.commit_swap(nr, swap).finish();
    }
    Ok(())
}

/// Makes the swap entry that takes the place of `old`.
///
/// Mirrors `swp_pte_prepare()` in [`mm/rmap.c`](srctree/mm/rmap.c).
fn swp_pte_prepare(entry: SwapEntry, old: Pte, anon_exclusive: bool) -> Pte {
    let mut swap = Pte::from_swap(entry);

    if anon_exclusive {
        swap = swap.swp_mkexclusive();
    }
    let (soft_dirty, uffd) = if old.present() {
        (old.soft_dirty(), old.uffd())
    } else {
        (old.swp_soft_dirty(), old.swp_uffd())
    };
    if soft_dirty {
        swap = swap.swp_mksoft_dirty();
    }
    if uffd {
        swap = swap.swp_mkuffd();
    }
    swap
}
