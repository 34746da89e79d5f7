// SPDX-License-Identifier: GPL-2.0

//! Replacing cleared entries with swap entries, run by run.

use super::{
    batch::{
        page_anon_exclusive_batch,
        BatchLen, //
    },
    share::Sharer,
    swap_dup::SwapDup,
    tally::{
        Stop,
        Tally, //
    },
};
use crate::sys::{
    cleared::ClearedPtes,
    pte::{
        Pte,
        SwapStep, //
    },
    swap::{
        SwapCacheFolio,
        SwapEntry, //
    },
};

/// Commits all cleared entries as swap entries, in runs whose pages are equally exclusive.
///
/// A run is committed wholly or not at all. When one fails, the runs before it stay committed;
/// its own entries and those behind it are left to the guard, which restores them. What is the
/// same for all runs is done once for the batch: taking the references, looking for pins, making
/// the first swap entry.
///
/// Mirrors `ttu_anon_swapbacked_folio()` in [`mm/rmap.c`](srctree/mm/rmap.c), for more than one
/// page. `arch_unmap_one()` is not called: only sparc64 has one.
///
/// Context: page table lock held, entries cleared.
// So that a caller that knows the length of the batch gets code for that length.
#[inline(always)]
pub(super) fn ttu_anon_swapbacked_folio(
    folio: SwapCacheFolio<'_>,
    cleared: &mut ClearedPtes<'_, '_>,
    present: bool,
    tally: &mut Tally,
) -> Result<(), Stop> {
    let pages = cleared.pages();
    let mut dup = SwapDup::new(folio, pages);
    let mut sharer = Sharer::new(&folio);
    let swap = SwapPtes::prepare(
        folio.entry(pages.first()),
        pages.nr(),
        cleared.pteval(),
        present,
    );

    while let Some(rest) = cleared.rest() {
        let (exclusive, nr) = page_anon_exclusive_batch(rest.nr(), |index| {
            rest.get(index).is_some_and(|page| page.anon_exclusive())
        });
        let run = rest.front(nr);

        dup.ensure(run)?;
        if exclusive {
            sharer.try_share_anon_rmap_ptes(cleared, run)?;
        }

        // No failure from here on.
        tally.add_run(nr);
        let first = swap.at(cleared.done(), exclusive);
        cleared.commit_swap(dup.keep(nr), first, swap.step);
    }
    Ok(())
}

/// The swap entries that take the place of a batch.
struct SwapPtes {
    first: Pte,
    step: SwapStep,
}

impl SwapPtes {
    /// Makes the first one, in the place of `old`.
    ///
    /// Mirrors `swp_pte_prepare()` in [`mm/rmap.c`](srctree/mm/rmap.c).
    fn prepare(entry: SwapEntry, nr: BatchLen, old: Pte, present: bool) -> Self {
        let mut swap = Pte::from_swap(entry);

        let (soft_dirty, uffd) = if present {
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
        Self {
            first: swap,
            step: swap.swp_offset_step(nr),
        }
    }

    /// Returns the one for the page `index` places behind the first.
    #[inline]
    fn at(&self, index: u32, exclusive: bool) -> Pte {
        let swap = self.first.advance_swp_offset(self.step, index);
        if exclusive {
            swap.swp_mkexclusive()
        } else {
            swap
        }
    }
}
