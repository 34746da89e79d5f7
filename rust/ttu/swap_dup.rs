// SPDX-License-Identifier: GPL-2.0

//! References to the swap slots of a run.

use super::{
    batch::BatchLen,
    tally::Stop, //
};
use crate::sys::{
    page::Page,
    swap::{
        SwapCacheFolio,
        SwapEntry, //
    },
};

/// References to the slots of consecutive pages, one each; put back on drop unless kept.
///
/// Mirrors what `folio_dup_swap()` and `folio_put_swap()` in
/// [`mm/swapfile.c`](srctree/mm/swapfile.c) do for one page or all.
#[must_use = "the references are put back at once when the guard is unused"]
pub(super) struct SwapDup<'a> {
    folio: SwapCacheFolio<'a>,
    first: Page<'a>,
    /// How many pages from `first` on have a reference of ours.
    held: u32,
}

impl<'a> SwapDup<'a> {
    /// Counts a reference to the slots of the `nr` pages from `first` on.
    ///
    /// # Errors
    ///
    /// [`Stop::SwapDup`] if a slot's count cannot be raised. No count has changed then.
    ///
    /// Context: page table lock held; takes the lock of the swap cluster.
    pub(super) fn new(
        folio: SwapCacheFolio<'a>,
        first: Page<'a>,
        nr: BatchLen,
    ) -> Result<Self, Stop> {
        let mut dup = Self {
            folio,
            first,
            held: 0,
        };

        if dup.count_in_table(nr) {
            dup.held = nr.get();
        } else {
            dup.count_page_by_page(nr)?;
        }
        Ok(dup)
    }

    /// Raises the counts of all slots under one lock; none if one of them does not allow it.
    fn count_in_table(&self, nr: BatchLen) -> bool {
        let mut cluster = self.folio.lock_cluster();
        let start = cluster.offset(self.first);
        let end = start + nr.get();

        for offset in start..end {
            if !cluster.try_add_count(offset, 1) {
                for undo in start..offset {
                    cluster.try_add_count(undo, -1);
                }
                return false;
            }
        }
        true
    }

    /// Has the kernel raise the counts, which it can beyond the limit of the table.
    fn count_page_by_page(&mut self, nr: BatchLen) -> Result<(), Stop> {
        for index in 0..nr.get() {
            let page = self.page(index).ok_or(Stop::Inconsistent)?;
            // On failure, dropping the guard puts back those before.
            self.folio.dup_swap(page).map_err(|_| Stop::SwapDup)?;
            self.held += 1;
        }
        Ok(())
    }

    fn page(&self, index: u32) -> Option<Page<'_>> {
        self.folio.page(self.first.index() + index as usize)
    }

    /// Hands the references over to swap entries that are about to be written.
    ///
    /// Returns the slot of the first page; the others follow it.
    pub(super) fn keep(mut self) -> SwapEntry {
        self.held = 0;
        self.folio.entry(self.first)
    }
}

impl Drop for SwapDup<'_> {
    fn drop(&mut self) {
        for index in 0..self.held {
            if let Some(page) = self.page(index) {
                self.folio.put_swap(page);
            }
        }
    }
}
