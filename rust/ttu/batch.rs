// SPDX-License-Identifier: GPL-2.0

//! How many page table entries make a batch.
//!
//! Plain computation that needs nothing of a kernel but its page size.

use core::{
    num::NonZeroU32,
    ops::Range, //
};

/// The length of a batch, in page table entries: never zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BatchLen(NonZeroU32);

impl BatchLen {
    /// A batch of one entry.
    pub(crate) const ONE: Self = Self(NonZeroU32::MIN);

    /// Returns a batch of `nr` entries, unless that is none.
    #[inline]
    pub(crate) fn new(nr: u32) -> Option<Self> {
        NonZeroU32::new(nr).map(Self)
    }

    /// Returns the length in entries.
    #[inline]
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    /// Returns the length of the addresses that the entries translate.
    #[inline]
    pub(crate) fn bytes(self) -> usize {
        self.get() as usize * super::PAGE_SIZE
    }

    /// Returns the shorter of the two.
    #[inline]
    pub(crate) fn min(self, other: Self) -> Self {
        Self(self.0.min(other.0))
    }
}

/// How far a batch has been dealt with, from its front.
///
/// # Invariants
///
/// `done` is at most `len`.
#[derive(Debug)]
pub(crate) struct Cursor {
    len: BatchLen,
    done: u32,
}

impl Cursor {
    /// Begins at the front of a batch.
    #[inline]
    pub(crate) fn new(len: BatchLen) -> Self {
        Self { len, done: 0 }
    }

    /// Returns how many entries are done.
    #[inline]
    pub(crate) fn done(&self) -> u32 {
        self.done
    }

    /// Returns how many entries are left, if any.
    #[inline]
    pub(crate) fn remaining(&self) -> Option<BatchLen> {
        BatchLen::new(self.len.get().wrapping_sub(self.done))
    }

    /// Takes the next `nr` entries as done, or as many as are left, and returns which.
    #[inline]
    pub(crate) fn advance(&mut self, nr: BatchLen) -> Range<u32> {
        let start = self.done;
        // INVARIANT: Not beyond the end.
        self.done = start.saturating_add(nr.get()).min(self.len.get());
        start..self.done
    }
}

/// Counts the entries from `first` on that can be handled as one.
///
/// They map consecutive pages and are alike in all that `alike` looks at. `peek(i)` reads entry
/// `i` and says how many from there on are known to be alike without reading them (contpte
/// blocks on arm64), `advance(pte, n)` is what `pte` would be for the page `n` further on. Entry 0
/// is `first`, with `hint` entries known. No entry from `max` on is looked at.
///
/// Mirrors `folio_pte_batch_flags()` in [`mm/internal.h`](srctree/mm/internal.h).
pub(crate) fn pte_batch<P: Copy>(
    first: P,
    hint: u32,
    max: BatchLen,
    peek: impl Fn(u32) -> Option<(P, u32)>,
    alike: impl Fn(P, P) -> bool,
    advance: impl Fn(P, u32) -> P,
) -> BatchLen {
    let mut nr = hint.max(1);
    let mut expected = advance(first, nr);

    while nr < max.get() {
        let Some((pte, hint)) = peek(nr) else {
            break;
        };
        if !alike(pte, expected) {
            break;
        }
        let step = hint.max(1);
        expected = advance(expected, step);
        nr += step;
    }

    BatchLen::new(nr).unwrap_or(BatchLen::ONE).min(max)
}

/// Counts the pages from the front of `max` on of which `exclusive` says the same as of the first.
///
/// Returns that answer and the count. Mirrors `page_anon_exclusive_batch()` in
/// [`mm/mprotect.c`](srctree/mm/mprotect.c).
pub(crate) fn page_anon_exclusive_batch(
    max: BatchLen,
    exclusive: impl Fn(u32) -> bool,
) -> (bool, BatchLen) {
    let expected = exclusive(0);
    let nr = (1..max.get())
        .find(|&index| exclusive(index) != expected)
        .unwrap_or(max.get());

    (expected, BatchLen::new(nr).unwrap_or(BatchLen::ONE))
}
