// SPDX-License-Identifier: GPL-2.0

//! A process whose memory others want unmapped, and that knows what every byte of it must be.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use fastrand::Rng;

use super::part::{once, Part, CHUNKS_OF_FOLIO};
use super::tally::Tally;
use crate::sys::{self, page_size};

/// How long it does nothing in between.
const NAP: Duration = Duration::from_millis(5);
/// In so many steps, it has some of its memory reclaimed once.
const RARELY: u32 = 16;
/// The most folios that it then gives up.
const MOST_FOLIOS: usize = 4;

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
    /// For each chunk of what is written again and again, [`Part::Large`] first: what it holds.
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

    /// Compares a chunk, and writes something new; now and then has some reclaimed.
    fn step(&mut self, tally: &Tally) -> io::Result<()> {
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
        match self.rng.u32(..RARELY) {
            0 => self.give_up(tally),
            _ => Ok(()),
        }
    }

    /// Has large folios reclaimed by the kernel itself, which takes live mode's path if that is on.
    fn give_up(&mut self, tally: &Tally) -> io::Result<()> {
        let folios = Part::Large.chunks() / CHUNKS_OF_FOLIO;
        let first = self.rng.usize(..folios);
        let end = folios.min(first + self.rng.usize(1..=MOST_FOLIOS));
        let chunks = first * CHUNKS_OF_FOLIO..end * CHUNKS_OF_FOLIO;
        if self.rng.bool() {
            // What came back from swap page by page would never be large again.
            Part::Large.advise_chunks(chunks.clone(), libc::MADV_DONTNEED)?;
            for (part, chunk, tag) in &mut self.tags[chunks.clone()] {
                *tag = self.rng.u64(..);
                part.write(*chunk, *tag);
            }
        }
        Part::Large.advise_chunks(chunks, libc::MADV_PAGEOUT)?;
        tally.given_up.add(1);
        Ok(())
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
        if let Err(e) = victim.step(tally) {
            eprintln!("hostile: victim: {e}");
            sys::exit_now(1)
        }
        std::thread::sleep(NAP);
    }
    sys::exit_now(i32::from(victim.check_all(tally, huge).is_err()))
}
