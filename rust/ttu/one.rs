// SPDX-License-Identifier: GPL-2.0

//! Unmapping a folio from one VMA.

use super::{
    flags::TtuFlags,
    tally::{
        Stop,
        Tally, //
    },
    unmap_batch::unmap_batch, //
};
use crate::sys::{
    folio::LockedFolio,
    vma::Vma,
    walk::{
        Level,
        Mapping,
        VmaWalk,
        WalkMemory, //
    },
};
use core::ops::ControlFlow;
use kernel::warn_on;

/// Removes the page table entries of `vma` that map the anonymous `folio`.
///
/// Returns whether the walk over the other VMAs should go on.
///
/// Mirrors `try_to_unmap_one()` in [`mm/rmap.c`](srctree/mm/rmap.c). Differences: a folio that is
/// mapped by a PMD without `TTU_SPLIT_HUGE_PMD` is left alone with a warning instead of a BUG.
///
/// Context: called by an rmap walk with the anon_vma lock held; may sleep.
#[inline(never)]
pub(crate) fn try_to_unmap_one(
    folio: &LockedFolio<'_>,
    vma: &Vma,
    address: usize,
    mut flags: TtuFlags,
    tally: &mut Tally,
) -> bool {
    let mut memory = WalkMemory::new();
    let sync = flags.contains(TtuFlags::SYNC);
    let mut walk = VmaWalk::new(&mut memory, folio, vma, address, sync);
    let mut ptes_in_mlocked = 0;

    while let Some(mapping) = walk.next() {
        if vma.is_mlocked() && !flags.contains(TtuFlags::IGNORE_MLOCK) {
            tally.stopped(Stop::Mlocked);
            ptes_in_mlocked += 1;
            match keep_mlocked(&mapping, ptes_in_mlocked) {
                ControlFlow::Continue(()) => continue,
                ControlFlow::Break(()) => break,
            }
        }

        let mapping = match mapping.level() {
            Level::Pte(mapping) => mapping,
            Level::Pmd(mapping) if flags.contains(TtuFlags::SPLIT_HUGE_PMD) => {
                mapping.split();
                flags = flags.without(TtuFlags::SPLIT_HUGE_PMD);
                continue;
            }
            Level::Pmd(_) => {
                warn_on!(true);
                tally.stopped(Stop::PmdMapped);
                return false;
            }
        };

        match unmap_batch(folio, mapping, flags, tally) {
            // There can be no other entry for the folio here.
            Ok(nr) if nr.get() == folio.len() => break,
            Ok(_) => {}
            Err(stop) => {
                tally.stopped(stop);
                return false;
            }
        }
    }

    ptes_in_mlocked == 0
}

/// Leaves a mapping in an mlocked VMA as it is, and mlocks the folio if that was missed.
///
/// Only a folio that is wholly mapped in the VMA is mlocked, and only while one page table lock
/// protects all of its entries; so the walk has to go on until all of them were seen.
fn keep_mlocked(mapping: &Mapping<'_, '_>, ptes: usize) -> ControlFlow<()> {
    if mapping.is_pte() && ptes != mapping.nr_pages() {
        return ControlFlow::Continue(());
    }
    if !mapping.crossed_pgtable() {
        mapping.mlock_folio();
    }
    ControlFlow::Break(())
}
