// SPDX-License-Identifier: GPL-2.0

//! Counting what the path did, and why it stopped.

use super::batch::BatchLen;

/// Why a page table entry stayed mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A page that belongs to one process alone may be pinned for DMA.
    Pinned,
    /// No further reference to a swap slot could be counted.
    SwapDup,
    /// The VMA is mlocked.
    Mlocked,
    /// A lazily freed page was written to again.
    Redirtied,
    /// A lazily freed page has references that are not mappings.
    ExtraReferences,
    /// The folio is mapped by a PMD, and splitting that was not asked for.
    PmdMapped,
    /// An entry that maps the folio, or the folio itself, is not as it must be.
    Inconsistent,
}

/// How many lengths of batches are told apart: powers of two up to 8192 entries, the most that a
/// page table of 64 KiB has.
pub(crate) const NR_LENGTHS: usize = 14;

/// What was done to one folio, in all VMAs that map it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    /// Runs of page table entries that were taken in one go.
    pub(crate) batches: u32,
    /// Parts of equal exclusivity that they were committed in.
    pub(crate) runs: u32,
    /// Page table entries that do not map the folio any more.
    pub(crate) unmapped: u32,
    /// Page table entries that were cleared and put back.
    pub(crate) restored: u32,
    /// Batches by length: entry `n` counts those of `1 << n` entries and more.
    pub(crate) lengths: [u32; NR_LENGTHS],
    /// Why it stopped, if it did: the first reason.
    pub(crate) stop: Option<Stop>,
}

impl Tally {
    /// Counts a batch of entries that were cleared.
    pub(crate) fn add_batch(&mut self, nr: BatchLen) {
        self.batches += 1;
        if let Some(count) = self.lengths.get_mut(nr.get().ilog2() as usize) {
            *count += 1;
        }
    }

    /// Counts a run that was committed.
    pub(crate) fn add_run(&mut self, nr: BatchLen) {
        self.runs += 1;
        self.unmapped += nr.get();
    }

    /// Notes why entries stayed mapped.
    pub(crate) fn stopped(&mut self, stop: Stop) {
        self.stop.get_or_insert(stop);
    }
}
