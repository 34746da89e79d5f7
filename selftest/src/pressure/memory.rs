// SPDX-License-Identifier: GPL-2.0

//! Anonymous memory of which every word is known.

use std::io;
use std::ops::Range;
use std::ptr;

use super::tally::Tally;
use crate::sys::{self, page_size};

/// The largest folio that the memory is made for.
pub const UNIT: usize = 2 << 20;

/// Memory of one thread, aligned to [`UNIT`], and what each page holds.
pub struct Arena {
    base: *mut u64,
    /// A page holds words that follow from its tag; one that was never written holds zeroes.
    tags: Vec<u64>,
    /// The kernel may have dropped the page, and then it is zero.
    droppable: Vec<bool>,
    next: u64,
}

impl Arena {
    /// Maps `len` bytes, a multiple of [`UNIT`]. No two values of `owner` give equal pages.
    pub fn new(len: usize, owner: u64) -> io::Result<Self> {
        let around = sys::map_anon(len + UNIT)?;
        let base = (around as usize).next_multiple_of(UNIT) as *mut u64;
        Ok(Arena {
            base,
            tags: vec![0; len / page_size()],
            droppable: vec![false; len / page_size()],
            next: owner << 48,
        })
    }

    /// For a forked copy: what it writes from now on differs from what the original writes.
    pub fn diverge(&mut self) {
        self.next |= 1 << 47;
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.tags.len()
    }

    /// Address and length of some pages.
    pub fn span(&self, pages: &Range<usize>) -> (u64, usize) {
        assert!(pages.end <= self.pages());
        let words = page_size() / 8;
        (
            // SAFETY: Inside the mapping, by the assertion.
            unsafe { self.base.add(pages.start * words) } as u64,
            pages.len() * page_size(),
        )
    }

    /// Writes something new to each of the pages.
    pub fn write(&mut self, pages: Range<usize>) {
        for i in pages {
            self.next += 1;
            let tag = self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            self.tags[i] = tag;
            self.droppable[i] = false;
            let page = self.span(&(i..i + 1)).0 as *mut u64;
            for k in 0..page_size() / 8 {
                // SAFETY: The page is in the mapping, which is this thread's alone.
                unsafe { page.add(k).write(word(tag, k)) };
            }
        }
    }

    /// Compares each of the pages with what it must hold.
    pub fn check(&mut self, pages: Range<usize>, tally: &Tally) {
        for i in pages {
            let found = self.look(i);
            tally.checked.add(page_size() as u64);
            let dropped = self.droppable[i] && found.wrong != 0 && found.not_zero == 0;
            if dropped {
                // For good: what it held does not come back.
                (self.tags[i], self.droppable[i]) = (0, false);
                tally.dropped.add(1);
            } else if found.wrong != 0 {
                tally.lost.add(found.wrong * 8);
                let (page, Found { wrong, first, .. }) = (self.span(&(i..i + 1)).0, found);
                eprintln!("page {page:#x}: {wrong} words are wrong; the first is {first:#x}");
            }
        }
    }

    fn look(&self, i: usize) -> Found {
        let tag = self.tags[i];
        let page = self.span(&(i..i + 1)).0 as *const u64;
        let mut found = Found::default();
        for k in 0..page_size() / 8 {
            let want = if tag == 0 { 0 } else { word(tag, k) };
            // SAFETY: The page is in the mapping, which nobody writes to meanwhile. Volatile:
            // the compiler must not know what was written there.
            let is = unsafe { ptr::read_volatile(page.add(k)) };
            found.wrong += u64::from(is != want);
            found.not_zero += u64::from(is != 0);
            if k == 0 {
                found.first = is;
            }
        }
        found
    }

    /// Gives the pages back; they are zero from then on.
    pub fn discard(&mut self, pages: Range<usize>) -> io::Result<()> {
        self.advise(&pages, libc::MADV_DONTNEED)?;
        self.tags[pages.clone()].fill(0);
        self.droppable[pages].fill(false);
        Ok(())
    }

    /// Lets the kernel drop the pages, as long as nobody writes to them.
    pub fn free(&mut self, pages: Range<usize>) -> io::Result<()> {
        self.advise(&pages, libc::MADV_FREE)?;
        self.droppable[pages].fill(true);
        Ok(())
    }

    /// `madvise(2)`.
    pub fn advise(&self, pages: &Range<usize>, advice: i32) -> io::Result<()> {
        let (address, len) = self.span(pages);
        sys::madvise(address, len, advice)
    }

    /// Makes pages read-only or writable.
    pub fn protect(&self, pages: &Range<usize>, write: bool) -> io::Result<()> {
        let (address, len) = self.span(pages);
        sys::protect(address, len, write)
    }
}

/// The words of a page.
#[derive(Default)]
struct Found {
    wrong: u64,
    not_zero: u64,
    first: u64,
}

/// Word `k` of a page.
fn word(tag: u64, k: usize) -> u64 {
    (tag ^ k as u64).wrapping_mul(0xd6e8_feb8_6659_fd93)
}
