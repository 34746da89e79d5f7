// SPDX-License-Identifier: GPL-2.0

//! What a process under pressure does, in several threads.

use std::io;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::memory::{Arena, UNIT};
use super::tally::Tally;
use super::Plan;
use crate::sys::{self, page_size, End};
use crate::trigger::{Path, Request, Trigger};

/// The smallest part that is treated as one, in pages: the smallest large folio but one.
const LEAST: usize = 4;
/// Before each part. Emulated CPUs that take turns in one thread have 100 ms each, unless they
/// are idle; whoever changes code waits for all of them, again and again.
const PAUSE: Duration = Duration::from_micros(50);

/// What a request of memory that is there and busy may end with.
const ANSWERS: [i32; 6] = [
    0,
    libc::EBUSY,
    libc::EINTR,
    libc::ENOENT,
    libc::ENOSPC,
    libc::EOPNOTSUPP,
];

/// Runs the threads of one process, with `len` bytes each, until it is told to stop; the exit
/// status says whether all could do what they wanted.
pub fn run(number: u64, plan: &Plan, len: usize, tally: &'static Tally) -> ! {
    sys::die_with_parent();
    sys::use_all_cpus();
    let (threads, requests) = (plan.threads, plan.requests);
    let all: Vec<_> = (0..threads)
        .map(|t| thread::spawn(move || work(number * threads + t + 1, requests, len, tally)))
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

fn work(owner: u64, requests: bool, len: usize, tally: &Tally) -> io::Result<()> {
    let mut arena = Arena::new(len, owner)?;
    let mut random = Rng::with_seed(owner);
    for unit in units(&arena) {
        thread::sleep(PAUSE);
        arena.write(unit);
    }
    tally.ready.add(1);
    while tally.stop.get() == 0 {
        thread::sleep(PAUSE);
        let part = some_part(&mut random, arena.pages());
        match random.usize(..if requests { 19 } else { 17 }) {
            0..6 => arena.check(part, tally),
            6..9 => arena.write(part),
            9..11 => {
                arena.discard(part.clone())?;
                arena.check(part.start..part.start + 1, tally);
                arena.write(part);
            }
            11..13 => pageout(&arena, &part)?,
            13..15 => in_child(&mut arena, part, tally)?,
            15 => arena.advise(&part, libc::MADV_COLD)?,
            16 => arena.free(part)?,
            _ => request(&arena, &part, &mut random, tally)?,
        }
    }
    for unit in units(&arena) {
        thread::sleep(PAUSE);
        arena.check(unit, tally);
    }
    Ok(())
}

/// All of the memory, in the largest parts.
fn units(arena: &Arena) -> impl Iterator<Item = Range<usize>> {
    let len = UNIT / page_size();
    (0..arena.pages()).step_by(len).map(move |at| at..at + len)
}

/// Has the kernel reclaim a part of which the second half was read-only a moment ago.
fn pageout(arena: &Arena, part: &Range<usize>) -> io::Result<()> {
    let half = part.start + part.len() / 2..part.end;
    arena.protect(&half, false)?;
    arena.protect(&half, true)?;
    arena.advise(part, libc::MADV_PAGEOUT)
}

/// Asks the module for all folios of a part; whatever comes of it, nothing may be lost.
fn request(arena: &Arena, part: &Range<usize>, random: &mut Rng, tally: &Tally) -> io::Result<()> {
    let (address, len) = arena.span(part);
    let path = Path::BOTH[random.usize(..2)];
    let request = Request {
        len: Some(len as u64),
        reclaim: random.bool(),
        ..Request::new(std::process::id() as i32, address, path)
    };
    let errno = Trigger::open()?.write(format!("{request}\n").as_bytes())?;
    tally.requests.add(1);
    match ANSWERS.contains(&errno) {
        true => Ok(()),
        false => Err(io::Error::other(format!("{request}: errno {errno}"))),
    }
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
