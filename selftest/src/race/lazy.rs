// SPDX-License-Identifier: GPL-2.0

//! Memory that is freed lazily: from then on the kernel may drop it at any time, and nobody is told,
//! until somebody writes to it.

use std::io;

use super::arena::OWNERS;
use super::owner::Owner;
use crate::sys;

/// One in so many times it is a part of the memory, which splits the folio.
const PARTLY: usize = 8;
/// A thread leaves its pages as they are in so many rounds, until it writes to them once more.
const LEAVE: usize = 4;

impl Owner<'_> {
    pub(super) fn free(&mut self) -> io::Result<bool> {
        let arena = self.arena;
        if self.random.usize(..PARTLY) == 0 {
            let _away = arena.take(self.number);
            let pages = self.some();
            return self.free_pages(pages);
        }
        let _away: [_; OWNERS] = std::array::from_fn(|owner| arena.take(owner));
        self.free_pages(0..arena.pages())
    }

    fn free_pages(&self, pages: std::ops::Range<usize>) -> io::Result<bool> {
        let (at, len) = self.span(&pages);
        for page in pages {
            self.arena.written(page).may_go();
        }
        self.race(|| sys::madvise(at, len, libc::MADV_FREE))?;
        Ok(true)
    }

    /// Whether pages that may be dropped are to be left alone in this round: they are read, but not
    /// written to.
    pub(super) fn leaves_free(&mut self) -> bool {
        let free = |page| self.arena.written(page).freed() != 0;
        self.arena.part(self.number).any(free) && self.random.usize(..LEAVE) != 0
    }
}
