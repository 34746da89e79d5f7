// SPDX-License-Identifier: GPL-2.0

//! Processes that die while they ask, or while they are asked about.
//!
//! A worker has several threads, so what it forks allocates nothing.

use std::thread;

use fastrand::Rng;

use super::open::{Open, Wrong};
use super::part::Part;
use super::tally::Tally;
use super::worker::Worker;
use super::world::{World, ANY};
use crate::count::Count;
use crate::knobs;
use crate::sys::{self, End};
use crate::trigger::{Path, Request};

/// Memory of a process that is not there for long.
const BRIEF: usize = 64 << 10;
/// How long one waits for something to begin.
const TRIES: usize = 20_000;
/// How often one tries to get the pid of a process that is gone.
const FORKS: usize = 100;

fn request(rng: &mut Rng, pid: i32, address: u64, len: Option<u64>) -> Request {
    Request {
        pid,
        address,
        len,
        path: *rng.choice(&Path::BOTH).expect("two"),
        reclaim: rng.bool(),
    }
}

/// An error of a call that has nothing to do with the module.
pub fn io(error: std::io::Error) -> Wrong {
    error.to_string()
}

/// Waits until something is so, but not for ever.
pub fn until(is_so: impl Fn() -> bool) -> bool {
    (0..TRIES).any(|_| {
        let now = is_so();
        if !now {
            sys::give_way();
        }
        now
    })
}

/// Takes leave of a process that was killed, or has found nothing wrong.
pub fn ended(child: i32) -> Result<(), Wrong> {
    match sys::wait(child, true).map_err(io)? {
        Some(End::Code(0) | End::Signal(libc::SIGKILL)) => Ok(()),
        end => Err(format!("a process ended with {end:?}")),
    }
}

/// A process asks for range after range, and is killed.
pub fn asker(w: &mut Worker) -> Result<i32, Wrong> {
    let pid = w.world.victim(&mut w.rng);
    let part = *w
        .rng
        .choice(&[Part::Large, Part::Small, Part::Shared])
        .expect("some");
    let len = part.len() as u64;
    let text = request(&mut w.rng, pid, part.address(), Some(len)).to_string();
    let open = Open::of_its_own().map_err(io)?;
    let (begun, answered) = w.tally.of_slot(w.slot);
    answered.set(begun.get());
    let was = begun.get();
    let Some(child) = sys::fork().map_err(io)? else {
        loop {
            w.tally.unsure.add(1);
            begun.add(1);
            match open.write(text.as_bytes()) {
                Ok(n) if n == text.len() => {}
                Err(e) if ANY.contains(&e) => {}
                _ => sys::exit_now(3),
            }
            answered.add(1);
        }
    };
    until(|| begun.get() != was);
    for _ in 0..w.rng.u32(..8) {
        sys::give_way();
    }
    sys::kill(child);
    ended(child)?;
    w.tally
        .unanswered
        .add((answered.get() != begun.get()).into());
    // The file has outlived who asked on it; the report is whole, if there is one.
    open.check_report().map(|_| 0)
}

/// How it stands with the processes of one pid, for the thread that asks about them.
#[derive(Default)]
struct Lives {
    /// How often one was killed or was told to, is gone, or has got the pid.
    turns: Count,
    /// How many requests were begun.
    begun: Count,
    /// How many were answered.
    answered: Count,
    /// Not 0: there are no more.
    over: Count,
}

/// A process is asked about all the time, while it is killed or exits and another comes by its pid.
pub fn target(w: &mut Worker) -> Result<i32, Wrong> {
    let base = sys::map_anon(BRIEF).map_err(io)?;
    let exits = w.rng.bool();
    let pid = brief(w, base, exits)?;
    let (at, lives) = (base as u64, Lives::default());
    let (world, tally, rng) = (w.world, w.tally, w.rng.fork());
    let answer = thread::scope(|scope| {
        let asking = scope.spawn(|| ask(world, tally, rng, (pid, at), &lives));
        let lived = live_again(w, pid, base, exits, &lives);
        lives.over.set(1);
        let answer = asking.join().map_err(|_| "a thread died")?;
        lived.and(answer)
    });
    // SAFETY: The memory is this function's, and nothing refers to it.
    unsafe { libc::munmap(base.cast(), BRIEF) };
    answer
}

/// Asks about the memory of a pid until it is told to stop; the last answer.
fn ask(
    world: &World,
    tally: &Tally,
    mut rng: Rng,
    (pid, base): (i32, u64),
    lives: &Lives,
) -> Result<i32, Wrong> {
    let mut open = Open::of_its_own().map_err(io)?;
    loop {
        let len = rng.bool().then_some(BRIEF as u64);
        let text = request(&mut rng, pid, base, len).to_string();
        let before = lives.turns.get();
        lives.begun.add(1);
        let got = open.write(text.as_bytes());
        tally.met.add((lives.turns.get() != before).into());
        tally.carried.add(1);
        let errno = open.judge(world, text.as_bytes(), got)?;
        open.check_report()?;
        lives.answered.add(1);
        if lives.over.get() != 0 {
            return Ok(errno);
        }
    }
}

/// Ends the process, and another of the same pid.
fn live_again(
    w: &mut Worker,
    pid: i32,
    base: *mut u8,
    exits: bool,
    lives: &Lives,
) -> Result<(), Wrong> {
    end(pid, exits, lives)?;
    for _ in 0..FORKS {
        // Who forks next gets the number after this one, unless another is faster.
        let last = "/proc/sys/kernel/ns_last_pid";
        knobs::write(last, &(pid - 1).to_string()).map_err(io)?;
        let child = brief(w, base, exits)?;
        if child != pid {
            sys::kill(child);
            ended(child)?;
            continue;
        }
        lives.turns.add(1);
        w.tally.reused.add(1);
        let more = lives.answered.get() + w.rng.u64(1..4);
        until(|| lives.answered.get() >= more);
        return end(pid, exits, lives);
    }
    // How often it has worked is looked at in the end.
    Ok(())
}

/// Kills a process, if it does not exit by itself, in the middle of a request; and reaps it.
fn end(child: i32, exits: bool, lives: &Lives) -> Result<(), Wrong> {
    until(|| lives.begun.get() > lives.answered.get());
    if !exits {
        sys::kill(child);
    }
    lives.turns.add(1);
    ended(child)?;
    lives.turns.add(1);
    Ok(())
}

/// Starts a process that writes to its memory and reads it back until it exits or is killed.
fn brief(w: &Worker, base: *mut u8, exits: bool) -> Result<i32, Wrong> {
    let (begun, _) = w.tally.of_slot(w.slot);
    let was = begun.get();
    if let Some(child) = sys::fork().map_err(io)? {
        until(|| begun.get() != was);
        return Ok(child);
    }
    for round in 0..if exits { 64 } else { 1 << 20 } {
        for at in (0..BRIEF).step_by(512) {
            // SAFETY: The memory was mapped for this.
            unsafe { base.add(at).write_volatile((at as u8) ^ round as u8) };
        }
        if round == 0 {
            begun.add(1);
        }
        sys::give_way();
        for at in (0..BRIEF).step_by(512) {
            // SAFETY: As above.
            if unsafe { base.add(at).read_volatile() } != (at as u8) ^ round as u8 {
                sys::exit_now(3);
            }
        }
    }
    sys::exit_now(0)
}
