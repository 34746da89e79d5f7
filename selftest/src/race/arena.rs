// SPDX-License-Identifier: GPL-2.0

//! The memory that is raced for. Each page belongs to one thread, which alone writes to it and knows
//! what it must hold.

use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::board::{Board, Wrong};
use super::words::{last_write, word, write_of};
use super::written::{Known, Written};
use crate::shape::bytes;
use crate::sys::{self, page_size};

/// How many threads own a part of the memory.
pub const OWNERS: usize = 4;

/// Memory of the size of one folio, and as much elsewhere for what is moved away.
pub struct Arena {
    /// Where it is.
    pub address: u64,
    elsewhere: u64,
    pages: usize,
    /// Whether the pages of a part shall be equal, so that KSM can merge them.
    twins: bool,
    /// Who touches a part holds its lock; who takes pages of it away holds it alone.
    parts: [RwLock<()>; OWNERS],
    /// What everybody knows of it.
    pub board: &'static Board,
}

/// The right to touch parts of the memory.
pub type Here<'a> = RwLockReadGuard<'a, ()>;
/// The right to take pages of a part away.
pub type Away<'a> = RwLockWriteGuard<'a, ()>;

impl Arena {
    /// Finds a place for `pages` pages, for this process and those that it forks.
    pub fn new(pages: usize, twins: bool, board: &'static Board) -> io::Result<Self> {
        let len = bytes(pages);
        let around = sys::map_anon(3 * len as usize)? as u64;
        let address = around.next_multiple_of(len);
        Ok(Arena {
            address,
            elsewhere: address + len,
            pages,
            twins,
            parts: [const { RwLock::new(()) }; OWNERS],
            board,
        })
    }

    /// How many pages it has.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// How many bytes.
    pub fn size(&self) -> usize {
        bytes(self.pages) as usize
    }

    /// The pages of a part.
    pub fn part(&self, owner: usize) -> Range<usize> {
        let each = self.pages / OWNERS;
        owner * each..(owner + 1) * each
    }

    /// Keeps a part from being taken away.
    pub fn hold(&self, owner: usize) -> Here<'_> {
        self.parts[owner]
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, if it is not away.
    pub fn try_hold(&self, owner: usize) -> Option<Here<'_>> {
        self.parts[owner].try_read().ok()
    }

    /// The same for all of it. In this order: others may wait for one part only.
    pub fn hold_all(&self) -> [Here<'_>; OWNERS] {
        std::array::from_fn(|owner| self.hold(owner))
    }

    /// Lets the caller take pages of a part away.
    pub fn take(&self, owner: usize) -> Away<'_> {
        self.parts[owner]
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Where a page is.
    pub fn at(&self, page: usize) -> u64 {
        self.address + bytes(page)
    }

    /// Where a page is that was moved away.
    pub fn at_elsewhere(&self, page: usize) -> u64 {
        self.elsewhere + bytes(page)
    }

    /// Maps memory of the arena, new, in the place of what was there.
    ///
    /// Without the same advice everywhere its VMAs do not merge, and no large folio fits into one.
    pub fn map(&self, at: u64, len: usize) -> io::Result<()> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: The range is the arena's, and the caller has taken it away from the others.
        let place = unsafe { libc::mmap(at as *mut _, len, prot, flags, -1, 0) };
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        sys::madvise(at, len, libc::MADV_HUGEPAGE)?;
        match self.twins {
            true => sys::madvise(at, len, libc::MADV_MERGEABLE),
            false => Ok(()),
        }
    }

    /// What is known of a page.
    pub fn written(&self, page: usize) -> &'static Written {
        &self.board.pages[page]
    }

    /// The tag of the words of a page.
    pub fn tag(&self, page: usize) -> u64 {
        match self.twins {
            true => (page / (self.pages / OWNERS)) as u64,
            false => page as u64,
        }
    }

    /// As its owner: makes `n` writes to a page that is mapped at `at`. Each reads first what it
    /// overwrites.
    pub fn write(&self, page: usize, at: u64, n: u64) {
        let known = self.written(page);
        let tag = self.tag(page);
        for _ in 0..n {
            let before = known.known();
            let write = before.writes + 1;
            let k = write as usize % words();
            let place = &content(at)[k];
            let found = place.load(Acquire);
            let expected = before.expected((k, words()), tag);
            if found != expected && !(before.may_go() && found == 0) {
                let wrong = Wrong::LostWrite;
                self.board.wrong(wrong, (page, k), (found, expected));
            }
            place.store(word(write, tag), Release);
            known.made(write);
            if before.freed != 0 {
                // It cannot be dropped any more, so that all of it tells whether it was.
                self.check(page, at);
            }
        }
        self.board.compared.add(n);
    }

    /// As its owner: compares all of a page that is mapped at `at`.
    pub fn check(&self, page: usize, at: u64) {
        let found = content(at).iter().map(|place| place.load(Acquire));
        self.check_words(page, found);
    }

    /// As its owner: compares a copy of a page.
    pub fn check_copy(&self, page: usize, copy: &[u8]) {
        let words = copy.chunks_exact(size_of::<u64>());
        let found = words.map(|w| u64::from_ne_bytes(w.try_into().unwrap_or_default()));
        self.check_words(page, found);
    }

    fn check_words(&self, page: usize, all: impl Iterator<Item = u64>) {
        let written = self.written(page);
        let known = written.known();
        match known.compare(all, words(), self.tag(page)) {
            Ok(true) => {
                self.board.dropped.add(1);
                written.settle(true);
            }
            Ok(false) if known.freed != 0 && !known.may_go() => {
                self.board.redeemed.add(1);
                written.settle(false);
            }
            Ok(false) => {}
            Err((k, found, expected)) => {
                let wrong = Wrong::LostWrite;
                self.board.wrong(wrong, (page, k), (found, expected));
            }
        }
        self.board.compared.add(words() as u64);
    }

    /// As anybody: reads words of a page, whose part the caller holds, while its owner may write
    /// to it.
    pub fn look(&self, page: usize, range: Range<usize>) {
        let known = self.written(page);
        let tag = self.tag(page);
        let mut least = known.writes();
        let mut gone = 0;
        for k in range.clone() {
            // Before the word is read: its owner may find out meanwhile that the page was dropped.
            let void = known.void().max(gone);
            let found = content(self.at(page))[k].load(Acquire);
            let at_least = last_write(least, k, words());
            if found == 0 && at_least <= known.known().dropped().void {
                // What was written earlier does not come back.
                gone = gone.max(at_least);
                continue;
            }
            let write = write_of(found, tag).unwrap_or(0);
            // The owner makes a write before it says so.
            if write < at_least || write <= void || write > known.writes() + 1 {
                let expected = match at_least > void {
                    true => word(at_least, tag),
                    false => 0,
                };
                let wrong = Wrong::StaleRead;
                self.board.wrong(wrong, (page, k), (found, expected));
            }
            // All that was written before this word must be seen, too.
            least = least.max(write);
        }
        self.board.compared.add(range.len() as u64);
    }

    /// As a child: finds out how many writes to a page there were when it was forked, which must
    /// be one number that explains every word, and at least as many as were `known` before.
    pub fn snapshot(&self, page: usize, known: &mut Known) -> Result<(), (usize, u64, u64)> {
        let words_of = content(self.at(page));
        let all = words_of.iter();
        let writes = all.filter_map(|place| write_of(place.load(Acquire), self.tag(page)));
        known.writes = writes.max().unwrap_or(0).max(known.writes);
        self.same_snapshot(page, known)?;
        let (writes, most) = (known.writes, self.written(page).writes() + 1);
        match writes > most {
            true => Err((writes as usize % words(), writes, most)),
            false => Ok(()),
        }
    }

    /// As a child: finds the same again.
    pub fn same_snapshot(&self, page: usize, known: &mut Known) -> Result<(), (usize, u64, u64)> {
        let all = content(self.at(page)).iter();
        let found = all.map(|place| place.load(Acquire));
        if known.compare(found, words(), self.tag(page))? {
            *known = known.dropped();
        } else if !known.may_go() {
            known.freed = 0;
        }
        self.board.compared.add(words() as u64);
        Ok(())
    }

    /// Puts a word to a place that its owner does not look at meanwhile.
    pub fn put(&self, page: usize, k: usize, word: u64) {
        content(self.at(page))[k].store(word, Relaxed);
    }

    /// Reads a word.
    pub fn get(&self, page: usize, k: usize) -> u64 {
        content(self.at(page))[k].load(Relaxed)
    }
}

/// How many words a page has.
pub fn words() -> usize {
    page_size() / size_of::<AtomicU64>()
}

/// The words of the page that is mapped at `at`.
fn content(at: u64) -> &'static [AtomicU64] {
    // SAFETY: Callers pass where a page of the arena is mapped, which nobody takes away while it is
    // in use; it is aligned, and any value is valid. Where they err, this process dies of SIGSEGV,
    // and the test sees it.
    unsafe { std::slice::from_raw_parts(at as *const AtomicU64, words()) }
}
