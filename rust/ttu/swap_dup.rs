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
    /// The pages whose slots have a reference of ours.
    held: Option<Pages<'a>>,
}

impl<'a> SwapDup<'a> {
    /// Counts a reference to the slots of all `pages` under one lock, if that is as simple for
    /// each of them; else [`Self::ensure`] has to do it, run by run.
    ///
    /// Context: page table lock held; takes the lock of the swap cluster.
    #[inline]
    pub(super) fn new(folio: SwapCacheFolio<'a>, pages: Pages<'a>) -> Self {
        let all = folio.lock_cluster().try_dup(pages);
        Self {
            folio,
            held: all.then_some(pages),
        }
    }

    /// Makes sure that there is a reference for each page of the next run.
    ///
    /// # Errors
    ///
    /// [`Stop::SwapDup`] if a slot's count cannot be raised. No count of the run has changed then,
    /// once this is dropped.
    ///
    /// Context: as [`Self::new`].
    #[inline]
    pub(super) fn ensure(&mut self, run: Pages<'a>) -> Result<(), Stop> {
        match self.held {
            Some(_) => Ok(()),
            None => self.count_page_by_page(run),
        }
    }

    /// Has the kernel raise the counts, which it can beyond the limit of the table.
    #[cold]
    fn count_page_by_page(&mut self, run: Pages<'a>) -> Result<(), Stop> {
        for index in 0..run.nr().get() {
            let page = run.get(index).ok_or(Stop::Inconsistent)?;
            // On failure, dropping the guard puts back those before.
            self.folio.dup_swap(page).map_err(|_| Stop::SwapDup)?;
            self.held = BatchLen::new(index + 1).map(|nr| run.front(nr));
        }
        Ok(())
    }

    /// Hands the references of the next `nr` pages over to swap entries that are about to be
    /// written.
    #[inline]
    pub(super) fn keep(&mut self, nr: BatchLen) {
        self.held = self.held.and_then(|held| held.behind(nr.get()));
    }
}

impl Drop for SwapDup<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(held) = self.held {
            put_back(self.folio, held);
        }
    }
}

#[cold]
fn put_back(folio: SwapCacheFolio<'_>, held: Pages<'_>) {
    for index in 0..held.nr().get() {
        if let Some(page) = held.get(index) {
            folio.put_swap(page);
        }
    }
}
