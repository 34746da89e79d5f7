// SPDX-License-Identifier: GPL-2.0

//! References to the swap slots of a batch.

use super::{
    batch::BatchLen,
    tally::Stop, //
};
use crate::sys::{
    page::Pages,
    swap::SwapCacheFolio, //
};

/// References to the slots of consecutive pages, one each; put back on drop unless kept.
///
/// Mirrors what `folio_dup_swap()` and `folio_put_swap()` in
/// [`mm/swapfile.c`](srctree/mm/swapfile.c) do for one page or all.
#[must_use = "the references are put back at once when the guard is unused"]
pub(super) struct SwapDup<'a> {
    folio: SwapCacheFolio<'a>,
    /// The pages whose slots were given a reference.
    counted: Option<Pages<'a>>,
    /// How many of those are kept, from the first one on; the others are ours.
    kept: u32,
}

impl<'a> SwapDup<'a> {
    /// Counts a reference to the slots of all `pages` under one lock, if that is as simple for
    /// each of them; else [`Self::ensure`] has to do it, run by run.
    ///
    /// Context: page table lock held; takes the lock of the swap cluster.
    // Called for single pages and for batches: inlined in both, the one has no loop.
    #[inline(always)]
    pub(super) fn new(folio: SwapCacheFolio<'a>, pages: Pages<'a>) -> Self {
        let all = folio.lock_cluster().try_dup(pages);
        Self {
            folio,
            counted: all.then_some(pages),
            kept: 0,
        }
    }

    /// Returns the pages whose slots have a reference of ours.
    #[inline]
    fn held(&self) -> Option<Pages<'a>> {
        self.counted.and_then(|pages| pages.behind(self.kept))
    }

    /// Makes sure that there is a reference for each page of the next run.
    ///
    /// # Errors
    ///
    /// [`Stop::SwapDup`] if a slot's count cannot be raised. No count of the run has changed then.
    ///
    /// Context: as [`Self::new`].
    #[inline]
    pub(super) fn ensure(&mut self, run: Pages<'a>) -> Result<(), Stop> {
        if self.held().is_none() {
            self.counted = dup_page_by_page(self.folio, run)?;
            self.kept = 0;
        }
        Ok(())
    }

    /// Hands the references of the next `nr` pages over to swap entries that are about to be
    /// written.
    #[inline]
    pub(super) fn keep(&mut self, nr: BatchLen) -> KeptRefs {
        self.kept = self.kept.saturating_add(nr.get());
        KeptRefs(nr)
    }
}

/// References to swap slots that belong to nobody until swap entries take them over, in
/// [`ClearedPtes::commit_swap`](crate::sys::cleared::ClearedPtes::commit_swap).
#[must_use = "without swap entries to take them over, the references are never put"]
pub(crate) struct KeptRefs(BatchLen);

impl KeptRefs {
    /// Returns how many swap entries take them over.
    #[inline]
    pub(crate) fn into_nr(self) -> BatchLen {
        self.0
    }
}

impl Drop for SwapDup<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(held) = self.held() {
            put_back(self.folio, held);
        }
    }
}

/// Has the kernel raise the counts, which it can beyond the limit of the table.
///
/// Returns the pages whose counts were raised, all of the run.
#[cold]
fn dup_page_by_page<'a>(
    folio: SwapCacheFolio<'a>,
    run: Pages<'a>,
) -> Result<Option<Pages<'a>>, Stop> {
    // On failure, dropping it puts back those before.
    let mut dup = SwapDup {
        folio,
        counted: None,
        kept: 0,
    };
    for index in 0..run.nr().get() {
        let page = run.get(index).ok_or(Stop::Inconsistent)?;
        folio.dup_swap(page).map_err(|_| Stop::SwapDup)?;
        dup.counted = BatchLen::new(index + 1).map(|nr| run.front(nr));
    }
    Ok(dup.counted.take())
}

#[cold]
fn put_back(folio: SwapCacheFolio<'_>, held: Pages<'_>) {
    for index in 0..held.nr().get() {
        if let Some(page) = held.get(index) {
            folio.put_swap(page);
        }
    }
}
