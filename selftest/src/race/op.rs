// SPDX-License-Identifier: GPL-2.0

//! What a thread does to the memory while it is unmapped.

use std::io;
use std::ops::Range;
use std::ptr;

use super::owner::Owner;
use crate::knobs;
use crate::observe::mthp;
use crate::shape::bytes;
use crate::sys::{self, cvt, page_size};

/// How often a thread reads or writes its pages while they are read-only, or elsewhere.
const MEANWHILE: usize = 4;
/// How often it reads its pages by a pin, one time after the other.
const PINS: usize = 8;
/// Scans of KSM that it takes to merge equal pages: it must see twice that they do not change.
const SCANS: u64 = 3;
const FULL_SCANS: &str = "/sys/kernel/mm/ksm/full_scans";
/// Splits the large folios of a range (mm/huge_memory.c: split_huge_pages_pid).
const SPLIT: &str = "/sys/kernel/debug/split_huge_pages";
/// `MADV_COLLAPSE` (include/uapi/asm-generic/mman-common.h).
const MADV_COLLAPSE: i32 = 25;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Forks a child that looks at everything.
    Fork,
    /// `munmap(2)` and `mmap(2)` of some pages.
    Unmap,
    /// `mprotect(2)` of some pages: read-only, and back.
    Protect,
    /// `mremap(2)` of some pages: elsewhere, and back.
    Move,
    /// `MADV_COLLAPSE` of all memory.
    Collapse,
    /// Leaves equal pages alone until KSM has had the time to merge them.
    Merge,
    /// `MADV_UNMERGEABLE`.
    Unmerge,
    /// `MADV_PAGEOUT` of all memory.
    Pageout,
    /// Reads pages by `process_vm_readv(2)`, which pins them.
    Pin,
    /// Has the kernel split all large folios of the memory.
    Split,
    /// `mlock(2)` of some pages, and `munlock(2)`.
    Lock,
    /// `MADV_FREE` of all memory, or of some pages.
    Free,
}

impl Op {
    /// How many there are.
    pub const KINDS: usize = Op::Free as usize + 1;
}

impl Owner<'_> {
    /// Does it.
    pub fn perform(&mut self, op: Op) {
        let board = self.arena.board;
        let done = match op {
            Op::Fork => self.fork(),
            Op::Unmap => self.unmap(),
            Op::Protect => self.protect(),
            Op::Move => self.move_away(),
            Op::Collapse => self.collapse(),
            Op::Merge => self.merge(),
            Op::Unmerge => self.unmerge(),
            Op::Pageout => self.pageout(),
            Op::Pin => self.pin(),
            Op::Split => self.split(),
            Op::Lock => self.lock(),
            Op::Free => self.free(),
        };
        match done {
            Ok(true) => board.done[op as usize].add(1),
            Ok(false) => {}
            Err(e) => board.call_failed(&e),
        }
    }

    /// Marks a time in which a system call changes the memory, or looks at it.
    pub(super) fn race<T>(&self, call: impl FnOnce() -> T) -> T {
        let board = self.arena.board;
        let before = board.begun.next();
        let others = board.ended.get() != before;
        let done = call();
        if others || board.begun.get() != before + 1 {
            board.together.add(1);
        }
        board.ended.add(1);
        done
    }

    fn fork(&mut self) -> io::Result<bool> {
        let arena = self.arena;
        self.children.reap(arena.board);
        let _here = arena.hold_all();
        self.children.prepare(arena);
        arena.board.begun.add(1);
        let forked = sys::fork();
        if matches!(forked, Ok(None)) {
            self.children.child(arena);
        }
        arena.board.ended.add(1);
        self.children.add(forked?);
        Ok(true)
    }

    fn unmap(&mut self) -> io::Result<bool> {
        let pages = self.some();
        let (at, len) = self.span(&pages);
        let _away = self.arena.take(self.number);
        self.race(|| {
            // SAFETY: The pages are this thread's, and nobody else touches them now.
            cvt(unsafe { libc::munmap(at as *mut _, len) }.into())?;
            self.arena.map(at, len)
        })?;
        self.given_back(pages);
        Ok(true)
    }

    fn protect(&mut self) -> io::Result<bool> {
        let pages = self.some();
        let (at, len) = self.span(&pages);
        let _here = self.arena.hold(self.number);
        self.race(|| sys::protect(at, len, false))?;
        for _ in 0..MEANWHILE {
            self.check(pages.clone());
        }
        self.race(|| sys::protect(at, len, true))?;
        Ok(true)
    }

    fn move_away(&mut self) -> io::Result<bool> {
        let arena = self.arena;
        let pages = self.some();
        let (here, len) = self.span(&pages);
        let there = arena.at_elsewhere(pages.start);
        let _away = arena.take(self.number);
        self.race(|| mremap(here, there, len))?;
        for _ in 0..MEANWHILE {
            for page in pages.clone() {
                arena.write(page, arena.at_elsewhere(page), 1);
                arena.check(page, arena.at_elsewhere(page));
            }
        }
        self.race(|| mremap(there, here, len))?;
        Ok(true)
    }

    fn collapse(&mut self) -> io::Result<bool> {
        let (at, len) = (self.arena.address, self.arena.size());
        match self.race(|| sys::madvise(at, len, MADV_COLLAPSE)) {
            Ok(()) => Ok(true),
            // What madvise(2) says if pages are in the way: isolated, locked, in swap, shared.
            Err(e) => match e.raw_os_error() {
                Some(libc::EAGAIN | libc::EBUSY | libc::EINVAL | libc::ENOMEM) => Ok(false),
                _ => Err(e),
            },
        }
    }

    fn merge(&mut self) -> io::Result<bool> {
        let _here = self.arena.hold(self.number);
        let board = self.arena.board;
        let scans = || knobs::read(FULL_SCANS).map(|s| s.parse().unwrap_or(0));
        let begun: u64 = scans()?;
        while scans()? < begun + SCANS && board.stop.get() == 0 {
            self.race(|| self.check(self.arena.part(self.number)));
            sys::give_way();
        }
        Ok(true)
    }

    fn unmerge(&mut self) -> io::Result<bool> {
        let pages = self.some();
        let (at, len) = self.span(&pages);
        let _here = self.arena.hold(self.number);
        self.race(|| sys::madvise(at, len, libc::MADV_UNMERGEABLE))?;
        self.race(|| sys::madvise(at, len, libc::MADV_MERGEABLE))?;
        Ok(true)
    }

    fn pageout(&mut self) -> io::Result<bool> {
        let (at, len) = (self.arena.address, self.arena.size());
        match self.race(|| sys::madvise(at, len, libc::MADV_PAGEOUT)) {
            // Somebody has taken some of it away; the rest was reclaimed.
            Err(e) if e.raw_os_error() != Some(libc::ENOMEM) => Err(e),
            _ => Ok(true),
        }
    }

    fn pin(&mut self) -> io::Result<bool> {
        let part = self.arena.part(self.number);
        let (at, len) = self.span(&part);
        let _here = self.arena.hold(self.number);
        let mut copy = std::mem::take(&mut self.copy);
        let mut whole = true;
        for _ in 0..PINS {
            whole &= self.race(|| sys::copy_own(at, &mut copy))? == len;
            for (page, copy) in part.clone().zip(copy.chunks_exact(page_size())) {
                self.arena.check_copy(page, copy);
            }
        }
        self.copy = copy;
        match whole {
            true => Ok(true),
            false => Err(io::Error::from_raw_os_error(libc::EFAULT)),
        }
    }

    fn split(&mut self) -> io::Result<bool> {
        let (start, end) = (self.arena.address, self.arena.at(self.arena.pages()));
        let all = format!("{},{start:#x},{end:#x}", std::process::id());
        let splits = || mthp::sum("split");
        let before = splits()?;
        self.race(|| knobs::write(SPLIT, &all))?;
        // It says the same where none was large, or one was in use.
        Ok(splits()? != before)
    }

    fn lock(&mut self) -> io::Result<bool> {
        let pages = self.some();
        let (at, len) = self.span(&pages);
        let _here = self.arena.hold(self.number);
        // SAFETY: Locking memory changes nothing in it.
        self.race(|| cvt(unsafe { libc::mlock(at as *const _, len) }.into()))?;
        self.check(pages);
        // SAFETY: As above.
        self.race(|| cvt(unsafe { libc::munlock(at as *const _, len) }.into()))?;
        Ok(true)
    }

    pub(super) fn span(&self, pages: &Range<usize>) -> (u64, usize) {
        (self.arena.at(pages.start), bytes(pages.len()) as usize)
    }
}

fn mremap(from: u64, to: u64, len: usize) -> io::Result<()> {
    let flags = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
    // SAFETY: Both places belong to the arena. The pages that move are the calling thread's, which
    // has taken them away from the others; the place where they go holds nothing.
    match unsafe { libc::mremap(from as *mut _, len, len, flags, to as *mut libc::c_void) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        place if ptr::eq(place, to as *const _) => Ok(()),
        _ => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    }
}
