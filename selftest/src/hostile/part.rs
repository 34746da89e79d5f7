// SPDX-License-Identifier: GPL-2.0

//! The memory of a victim: its parts, and what every byte of them must be.

use std::io;
use std::ops::Range;
use std::ptr;

use super::tally::Tally;
use crate::sys;

/// Where a victim's memory begins, and how far apart its parts are.
const BASE: u64 = 0x10_0000_0000;
const APART: u64 = 0x1000_0000;
/// What is compared and written in one go.
const CHUNK: usize = 16 << 10;
/// Chunks in one of the folios that [`Part::Large`] consists of where there are some.
pub const CHUNKS_OF_FOLIO: usize = (64 << 10) / CHUNK;

/// A part of its memory, at the same place in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Written to again and again, in folios of 64 KiB where there are some.
    Large,
    /// Likewise, page by page.
    Small,
    /// Shared by all of them since they were forked, and read only.
    Shared,
    /// Written once, then made inaccessible.
    Hidden,
    /// Never touched.
    Untouched,
    /// A mapped file, read.
    File,
    /// Shared memory.
    Shmem,
    /// Read, and never written.
    Zero,
    /// Locked.
    Locked,
    /// One huge page of hugetlbfs, if there is one.
    Huge,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 10] = [
        Part::Large,
        Part::Small,
        Part::Shared,
        Part::Hidden,
        Part::Untouched,
        Part::File,
        Part::Shmem,
        Part::Zero,
        Part::Locked,
        Part::Huge,
    ];

    /// Its first address.
    pub fn address(self) -> u64 {
        BASE + self as u64 * APART
    }

    /// Its length.
    pub fn len(self) -> usize {
        match self {
            Part::Large => 1 << 20,
            Part::Huge => 2 << 20,
            _ => 256 << 10,
        }
    }

    /// The part that an address is in.
    pub fn of(address: u64) -> Option<Part> {
        let inside = |p: &Part| (p.address()..p.address() + p.len() as u64).contains(&address);
        Part::ALL.into_iter().find(inside)
    }

    /// Maps it at its place.
    pub fn map(self, flags: i32, fd: i32) -> io::Result<()> {
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        let flags = flags | libc::MAP_FIXED_NOREPLACE;
        let at = self.address() as *mut _;
        // SAFETY: A new mapping where there was none.
        let base = unsafe { libc::mmap(at, self.len(), prot, flags, fd, 0) };
        match base == at {
            true => Ok(()),
            false => Err(io::Error::last_os_error()),
        }
    }

    /// Maps it as anonymous memory.
    pub fn anonymous(self, flags: i32) -> io::Result<()> {
        self.map(libc::MAP_ANONYMOUS | flags, -1)
    }

    /// Advises the kernel about all of it, as [`Part::advise_chunks`] about some of it.
    pub fn advise(self, advice: i32) -> io::Result<()> {
        self.advise_chunks(0..self.chunks(), advice)
    }

    /// Advises the kernel about these chunks.
    pub fn advise_chunks(self, chunks: Range<usize>, advice: i32) -> io::Result<()> {
        let at = self.address() + (chunks.start * CHUNK) as u64;
        sys::madvise(at, chunks.len() * CHUNK, advice)
    }

    /// Its words of 64 bits.
    pub fn word(self, k: usize) -> *mut u64 {
        (self.address() as *mut u64).wrapping_add(k)
    }

    /// How many chunks it has.
    pub fn chunks(self) -> usize {
        self.len() / CHUNK
    }

    /// Writes what belongs to a chunk.
    pub fn write(self, chunk: usize, tag: u64) {
        for k in chunk * CHUNK / 8..(chunk + 1) * CHUNK / 8 {
            // SAFETY: Inside the part, which is mapped and used through these functions only.
            unsafe { ptr::write_volatile(self.word(k), value(tag, k)) };
        }
    }

    /// Compares a chunk with what belongs to it.
    pub fn check(self, chunk: usize, tag: u64, tally: &Tally) {
        let mut wrong = 0;
        for k in chunk * CHUNK / 8..(chunk + 1) * CHUNK / 8 {
            // SAFETY: As above.
            let found = unsafe { ptr::read_volatile(self.word(k)) };
            if found != value(tag, k) {
                wrong += 1;
                self.say(k, found, tag);
            }
        }
        tally.compared.add(CHUNK as u64);
        tally.lost.add(8 * wrong);
    }

    /// Says what is wrong, and whether it is so at a second look.
    fn say(self, k: usize, found: u64, tag: u64) {
        // SAFETY: As above.
        let again = unsafe { ptr::read_volatile(self.word(k)) };
        let (address, pid) = (self.word(k), std::process::id());
        let want = value(tag, k);
        // What was written with another tag, that tag can be got from.
        let tag_of = found.wrapping_mul(INVERSE) ^ k as u64;
        eprintln!(
            "victim {pid}: {self:?} {address:p}: {found:#x} (tag {tag_of:#x}), again {again:#x}, \
             expected {want:#x} (tag {tag:#x})"
        );
    }
}

const FACTOR: u64 = 0xd6e8_feb8_6659_fd93;
/// The number that undoes a multiplication by [`FACTOR`].
const INVERSE: u64 = {
    // Each step of Newton's makes twice as many bits right; the first three are.
    let mut inverse = FACTOR;
    let mut step = 0;
    while step < 5 {
        inverse = inverse.wrapping_mul(2u64.wrapping_sub(FACTOR.wrapping_mul(inverse)));
        step += 1;
    }
    inverse
};

fn value(tag: u64, k: usize) -> u64 {
    (tag ^ k as u64).wrapping_mul(FACTOR)
}

/// The tag of what is written once.
pub fn once(part: Part) -> u64 {
    part as u64 + 1
}
