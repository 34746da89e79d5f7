// SPDX-License-Identifier: GPL-2.0

//! What a process under pressure does, in several threads.

use std::io;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::memory::{Arena, UNIT};
use super::tally::Tally;
use crate::sys::{self, page_size, End};

/// The smallest part that is treated as one, in pages: the smallest large folio but one.
const LEAST: usize = 4;
/// Before each part. Emulated CPUs that take turns in one thread have 100 ms each, unless they
/// are idle; whoever changes code waits for all of them, again and again.
const PAUSE: Duration = Duration::from_micros(50);

/// Runs `threads` threads with `len` bytes each until it is told to stop; the exit status says
/// whether all could do what they wanted.
pub fn run(number: u64, threads: u64, len: usize, tally: &'static Tally) -> ! {
    sys::die_with_parent();
    sys::use_all_cpus();
    let all: Vec<_> = (0..threads)
        .map(|t| thread::spawn(move || work(number * threads + t + 1, len, tally)))
        .collect();
    let mut code = 0;
    for one in all {
        match one.join() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => {
                eprintln!("process {number}: {e}");
                code = 1;
            }
            Err(_) => code = 2,
        }
    }
    sys::exit_now(code)
}

fn work(owner: u64, len: usize, tally: &Tally) -> io::Result<()> {
    let mut arena = Arena::new(len, owner)?;
    let mut random = Rng::with_seed(owner);
    arena.write(0..arena.pages());
    while tally.stop.get() == 0 {
        thread::sleep(PAUSE);
        let part = some_part(&mut random, arena.pages());
        match random.usize(..16) {
            0..6 => arena.check(part, tally),
            6..9 => arena.write(part),
            9..11 => {
                arena.discard(part.clone())?;
                arena.check(part.start..part.start + 1, tally);
                arena.write(part);
            }
            11..13 => pageout(&arena, &part)?,
            13..15 => in_child(&mut arena, part, tally)?,
            _ => arena.advise(&part, libc::MADV_COLD)?,
        }
    }
    arena.check(0..arena.pages(), tally);
    Ok(())
}

/// Has the kernel reclaim a part of which the second half was read-only a moment ago.
fn pageout(arena: &Arena, part: &Range<usize>) -> io::Result<()> {
    let half = part.start + part.len() / 2..part.end;
    arena.protect(&half, false)?;
    arena.protect(&half, true)?;
    arena.advise(part, libc::MADV_PAGEOUT)
}

/// A child finds the same, writes to its copy, and finds what it wrote; so does its parent.
fn in_child(arena: &mut Arena, part: Range<usize>, tally: &Tally) -> io::Result<()> {
    let half = part.start..part.start + part.len() / 2;
    // The child allocates nothing: another thread may have held the allocator's lock.
    let Some(pid) = sys::fork()? else {
        sys::die_with_parent();
        arena.diverge();
        arena.check(part.clone(), tally);
        for i in part.clone().step_by(2) {
            arena.write(i..i + 1);
        }
        let _ = arena.advise(&part, libc::MADV_PAGEOUT);
        arena.check(part, tally);
        sys::exit_now(0)
    };
    arena.write(half);
    arena.advise(&part, libc::MADV_PAGEOUT)?;
    arena.check(part, tally);
    match sys::wait(pid, true)? {
        Some(End::Code(0)) => tally.forks.add(1),
        other => return Err(io::Error::other(format!("a child ended with {other:?}"))),
    }
    Ok(())
}

/// A naturally aligned part of 16 KiB to 2 MiB.
fn some_part(random: &mut Rng, pages: usize) -> Range<usize> {
    let most = UNIT / page_size();
    let orders = (most / LEAST).trailing_zeros() as usize + 1;
    let len = LEAST << random.usize(..orders);
    let start = random.usize(..pages / len) * len;
    start..start + len
}
