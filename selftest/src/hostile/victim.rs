// SPDX-License-Identifier: GPL-2.0

//! A process whose memory others want unmapped, and that knows what every byte of it must be.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use fastrand::Rng;

use super::tally::Tally;
use crate::sys::{self, page_size};

/// Where its memory begins, and how far apart its parts are.
const BASE: u64 = 0x10_0000_0000;
const APART: u64 = 0x1000_0000;
/// What is compared and written in one go.
const CHUNK: usize = 16 << 10;

/// How long it does nothing in between.
const NAP: Duration = Duration::from_millis(5);

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
    fn map(self, flags: i32, fd: i32) -> io::Result<()> {
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

    fn anonymous(self, flags: i32) -> io::Result<()> {
        self.map(libc::MAP_ANONYMOUS | flags, -1)
    }

    fn advise(self, advice: i32) -> io::Result<()> {
        sys::madvise(self.address(), self.len(), advice)
    }

    fn word(self, k: usize) -> *mut u64 {
        (self.address() as *mut u64).wrapping_add(k)
    }

    fn chunks(self) -> usize {
        self.len() / CHUNK
    }

    /// Writes what belongs to a chunk.
    fn write(self, chunk: usize, tag: u64) {
        for k in chunk * CHUNK / 8..(chunk + 1) * CHUNK / 8 {
            // SAFETY: Inside the part, which is mapped and used through these functions only.
            unsafe { ptr::write_volatile(self.word(k), value(tag, k)) };
        }
    }

    /// Compares a chunk with what belongs to it.
    fn check(self, chunk: usize, tag: u64, tally: &Tally) {
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
fn once(part: Part) -> u64 {
    part as u64 + 1
}

/// Maps what all victims share, in the process that forks them.
pub fn map_shared() -> io::Result<()> {
    Part::Shared.anonymous(libc::MAP_PRIVATE)?;
    (0..Part::Shared.chunks()).for_each(|chunk| Part::Shared.write(chunk, once(Part::Shared)));
    Ok(())
}

/// Gives it back.
pub fn unmap_shared() -> io::Result<()> {
    let (at, len) = (Part::Shared.address() as *mut _, Part::Shared.len());
    // SAFETY: Nobody uses the part any more.
    sys::cvt(unsafe { libc::munmap(at, len) }.into()).map(drop)
}

/// Whether there is a huge page for each of `n`.
pub fn reserve_huge(n: usize) -> bool {
    let path = "/proc/sys/vm/nr_hugepages";
    crate::knobs::write(path, &n.to_string()).is_ok()
        && crate::knobs::read(path).is_ok_and(|got| got == n.to_string())
}

/// What the victim knows.
struct Victim {
    rng: Rng,
    /// For each chunk of what is written again and again: what it holds.
    tags: Vec<(Part, usize, u64)>,
}

impl Victim {
    fn new(seed: u64, file: &File, huge: bool) -> io::Result<Self> {
        for part in [Part::Large, Part::Small, Part::Hidden, Part::Locked] {
            part.anonymous(libc::MAP_PRIVATE)?;
        }
        Part::Large.advise(libc::MADV_HUGEPAGE)?;
        Part::Untouched.anonymous(libc::MAP_PRIVATE)?;
        Part::Zero.anonymous(libc::MAP_PRIVATE)?;
        Part::Zero.advise(libc::MADV_NOHUGEPAGE)?;
        Part::Zero.advise(libc::MADV_POPULATE_READ)?;
        Part::Shmem.anonymous(libc::MAP_SHARED)?;
        Part::File.map(libc::MAP_SHARED, file.as_raw_fd())?;
        let mut written = vec![Part::Shmem, Part::Hidden, Part::Locked, Part::File];
        if huge {
            Part::Huge.anonymous(libc::MAP_PRIVATE | libc::MAP_HUGETLB)?;
            written.push(Part::Huge);
        }
        for part in written {
            (0..part.chunks()).for_each(|chunk| part.write(chunk, once(part)));
        }
        protect(Part::Hidden, libc::PROT_NONE)?;
        let (at, len) = (Part::Locked.address() as *const _, Part::Locked.len());
        // SAFETY: This changes no content.
        sys::cvt(unsafe { libc::mlock(at, len) }.into())?;
        let mut victim = Victim {
            rng: Rng::with_seed(seed),
            tags: Vec::new(),
        };
        for part in [Part::Large, Part::Small] {
            for chunk in 0..part.chunks() {
                let tag = victim.rng.u64(..);
                part.write(chunk, tag);
                victim.tags.push((part, chunk, tag));
            }
        }
        Ok(victim)
    }

    /// Compares a chunk, and writes something new.
    fn step(&mut self, tally: &Tally) {
        let (part, chunk, tag) = self.rng.choice(&mut self.tags).expect("there are chunks");
        part.check(*chunk, *tag, tally);
        if self.rng.bool() {
            // Without a look, some of it comes back by a write.
            *tag = self.rng.u64(..);
            part.write(*chunk, *tag);
        }
        if self.rng.u32(..8) == 0 {
            let chunk = self.rng.usize(..Part::Shared.chunks());
            Part::Shared.check(chunk, once(Part::Shared), tally);
        }
    }

    /// Compares all.
    fn check_all(&self, tally: &Tally, huge: bool) -> io::Result<()> {
        for (part, chunk, tag) in &self.tags {
            part.check(*chunk, *tag, tally);
        }
        protect(Part::Hidden, libc::PROT_READ)?;
        let mut written = vec![
            Part::Shared,
            Part::Hidden,
            Part::Shmem,
            Part::Locked,
            Part::File,
        ];
        written.extend(huge.then_some(Part::Huge));
        for part in written {
            (0..part.chunks()).for_each(|chunk| part.check(chunk, once(part), tally));
        }
        // SAFETY: The part is mapped and nobody writes to it.
        let zero = |k| unsafe { ptr::read_volatile(Part::Zero.word(k)) } == 0;
        let wrong = (0..Part::Zero.len() / 8).filter(|k| !zero(*k)).count();
        tally.lost.add(8 * wrong as u64);
        Ok(())
    }
}

fn protect(part: Part, prot: i32) -> io::Result<()> {
    // SAFETY: The part is not used while it cannot be read.
    sys::cvt(unsafe { libc::mprotect(part.address() as *mut _, part.len(), prot) }.into()).map(drop)
}

/// A file for all of them.
pub fn file() -> io::Result<File> {
    let path = format!("/tmp/hostile.{}", std::process::id());
    let mut options = File::options();
    let file = options.read(true).write(true).create(true).open(&path)?;
    std::fs::remove_file(&path)?;
    file.set_len(Part::File.len().max(page_size()) as u64)?;
    Ok(file)
}

/// Is a victim until it is told to stop; says by `ready` when its memory is there.
pub fn run(seed: u64, file: &File, huge: bool, tally: &Tally, ready: impl FnOnce()) -> ! {
    sys::die_with_parent();
    sys::use_all_cpus();
    let Ok(mut victim) = Victim::new(seed, file, huge) else {
        eprintln!("hostile: victim: {}", io::Error::last_os_error());
        sys::exit_now(1)
    };
    ready();
    while tally.stop.get() == 0 {
        victim.step(tally);
        std::thread::sleep(NAP);
    }
    sys::exit_now(i32::from(victim.check_all(tally, huge).is_err()))
}
