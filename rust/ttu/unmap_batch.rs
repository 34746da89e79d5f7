// SPDX-License-Identifier: GPL-2.0

//! Taking a batch of entries out of a page table.

use super::{
    batch::{
        pte_batch,
        BatchLen, //
    },
    flags::TtuFlags,
    flush::flush_cleared,
    lazyfree::ttu_anon_lazyfree_folio,
    swapbacked::ttu_anon_swapbacked_folio,
    tally::{
        Stop,
        Tally, //
    },
};
use crate::sys::{
    cleared::ClearedPtes,
    fault,
    folio::LockedFolio,
    page::Page,
    pte::Pte,
    pte_mapping::PteMapping,
    swap::SwapCacheFolio, //
};
use kernel::warn_on;

/// Clears the entry at `mapping` and those that can be handled with it, and unmaps their pages.
///
/// Returns the length of the batch. On failure the runs that were committed before stay so, and
/// all other entries are as they were.
///
/// Mirrors the loop body of `try_to_unmap_one()` in [`mm/rmap.c`](srctree/mm/rmap.c).
///
/// Context: page table lock held.
pub(super) fn unmap_batch<'a>(
    folio: &'a LockedFolio<'_>,
    mapping: PteMapping<'_, 'a>,
    flags: TtuFlags,
    tally: &mut Tally,
) -> Result<BatchLen, Stop> {
    let vma = mapping.vma();
    let pteval = mapping.pte();
    let present = pteval.present();
    let Some(page) = folio.page_at_pfn(pteval.pfn(present)) else {
        warn_on!(true);
        return Err(Stop::Inconsistent);
    };

    let (nr, mut cleared) = if present {
        let nr = folio_unmap_pte_batch(folio, &mapping, flags, (page, pteval));
        let mut cleared = mapping.clear(page, nr);
        flush_cleared(&mut cleared, flags);
        if cleared.pteval().dirty() {
            folio.mark_dirty();
        }
        (nr, cleared)
    } else {
        // An entry that maps a page without being present, such as a device-exclusive one.
        (BatchLen::ONE, mapping.clear_non_present(page, pteval))
    };
    tally.add_batch(nr);

    cleared.install_uffd_wp_markers();
    // The high-water mark has to be taken before the counters are lowered.
    vma.mm().update_hiwater_rss();

    let old = cleared.pteval();
    let result = if flags.contains(TtuFlags::HWPOISON) && folio.is_hwpoison() {
        tally.add_run(BatchLen::ONE);
        cleared.commit_hwpoison(page);
        Ok(())
    } else if present && old.unused() && !vma.userfaultfd_armed() {
        // The guest has said that it does not need the content. A later access gets a page of
        // zeros, which userfaultfd would be wrong to see as a missing one.
        tally.add_run(BatchLen::ONE);
        cleared.commit_empty(BatchLen::ONE);
        Ok(())
    } else {
        ttu_anon_folio(folio, &mut cleared, present, tally)
    };

    if let Some(rest) = cleared.rest() {
        tally.restored += rest.nr().get();
    }
    result.map(|()| nr)
}

/// Counts the entries from `mapping` on that can be cleared, and restored, as one.
///
/// A restore writes all entries with the bits of the first one. So that this cannot make an entry
/// writable that was not (CVE-2026-31398), or lose a soft-dirty bit, those have to be equal, as
/// have all others but accessed and dirty.
///
/// Mirrors `folio_unmap_pte_batch()` in [`mm/rmap.c`](srctree/mm/rmap.c). Difference: swap-backed
/// anonymous folios are batched, too, and their batches do not end where contpte blocks do. Those
/// of lazily freed ones do, for they are dropped or kept batch by batch.
fn folio_unmap_pte_batch<'a>(
    folio: &'a LockedFolio<'_>,
    mapping: &PteMapping<'_, 'a>,
    flags: TtuFlags,
    (page, first): (Page<'a>, Pte),
) -> BatchLen {
    if folio.len() == 1 || flags.contains(TtuFlags::HWPOISON) || first.unused() {
        return BatchLen::ONE;
    }

    // A batch stays within one VMA, one page table and one folio.
    let window = mapping.window(page);
    let (Some(max), Some((_, hint))) = (window.nr(), window.peek(0)) else {
        return BatchLen::ONE;
    };
    let pattern = first.batch_pattern(!folio.is_swapbacked());

    pte_batch(
        first,
        hint,
        max,
        |index| window.peek(index),
        |pte, expected| pattern.alike(pte, expected),
        |pte, nr| pattern.advance(pte, nr),
    )
}

/// Decides what takes the place of cleared entries of an anonymous folio.
///
/// Mirrors `ttu_anon_folio()` in [`mm/rmap.c`](srctree/mm/rmap.c).
fn ttu_anon_folio(
    folio: &LockedFolio<'_>,
    cleared: &mut ClearedPtes<'_, '_>,
    present: bool,
    tally: &mut Tally,
) -> Result<(), Stop> {
    if fault::INCONSISTENT.should_fail() {
        // As below, but no bug to warn of.
        return Err(Stop::Inconsistent);
    }
    match SwapCacheFolio::new(folio) {
        Some(folio) if folio.is_swapbacked() => match cleared.pages().nr() {
            // Compiled by itself, a single page is free of the loops, which cost it 5 %.
            BatchLen::ONE => ttu_anon_swapbacked_folio(folio, cleared, present, tally),
            _ => ttu_anon_swapbacked_folio(folio, cleared, present, tally),
        },
        None if !folio.is_swapbacked() => ttu_anon_lazyfree_folio(folio, cleared, tally),
        _ => {
            warn_on!(true);
            Err(Stop::Inconsistent)
        }
    }
}
