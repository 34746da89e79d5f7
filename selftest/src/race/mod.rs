// SPDX-License-Identifier: GPL-2.0

//! Races: a process whose threads write to a large folio and do all kinds of things to it, while
//! others have it unmapped, again and again.
//!
//! Every word says which write has put it there, so that a write that is lost, a read of what was
//! there before, and a byte of somebody else are seen at once.

mod arena;
mod board;
mod child;
mod driver;
mod lazy;
mod op;
mod owner;
mod plan;
mod process;
mod reclaim;
mod swap;
mod tally;
mod watch;
mod words;
mod written;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::count;
use crate::live;
use crate::observe::pagemap;
use crate::sys::{self, End};
use crate::verdict::{Checks, Stop};
use arena::Arena;
use board::Board;
use driver::Driver;
pub use op::Op;
pub use plan::Plan;
pub use process::Ending;
use tally::Tally;
use watch::Watch;

/// Requests until a process must have ended.
const PATIENCE: u64 = 100_000;

/// Has a process race, as planned; returns the frames of the first folio.
pub fn run(checks: &mut Checks, plan: &Plan) -> Result<(u64, usize), Stop> {
    let board: &Board = count::shared()?;
    let arena = Arena::new(plan.pages, plan.ops.contains(&Op::Merge), board)?;
    sys::use_all_cpus();
    live::set(plan.live)?;
    let watch = Watch::begin(plan, board)?;
    let pid = start(&arena, plan, Ending::Told)?;
    let frames = first_frames(pid, &arena)?;
    let tally = match plan.triggers {
        0 => watch.wait()?,
        _ => drive(&arena, &watch, pid)?,
    };
    board.stop.set(1);
    let end = sys::wait(pid, true)?;
    live::set(false)?;

    checks.note(tally.said());
    checks.note(board.said(plan));
    checks.eq("the end of the process", end, Some(End::Code(0)));
    board.check(checks);
    tally.check(checks, plan);
    checks.that(board.compared.get() > 0, || "nothing was compared".into());
    for what in watch.missing(&tally)? {
        checks.that(false, || what);
    }
    if let Some((name, _)) = plan.event {
        checks.note(format!("{name}: {}", watch.moved()?));
    }
    if plan.live {
        checks.note(format!("live mode took {} calls", tally.taken));
    }
    Ok(frames)
}

/// Has one process after the other exit or be killed while a request for its memory is under way:
/// at least so many, and more until enough was seen.
pub fn run_to_the_end(
    checks: &mut Checks,
    plan: &Plan,
    least: usize,
    endings: impl Iterator<Item = Ending>,
) -> Result<(u64, usize), Stop> {
    sys::use_all_cpus();
    let tally = Mutex::new(Tally::default());
    let seen = || tally.lock().unwrap_or_else(PoisonError::into_inner);
    let mut frames = None;
    for (ended, ending) in endings.enumerate() {
        if ended >= least && seen().missing(plan).is_empty() {
            break;
        }
        let board: &Board = count::shared()?;
        let arena = Arena::new(plan.pages, false, board)?;
        let watch = Watch::begin(plan, board)?;
        let pid = start(&arena, plan, ending)?;
        frames.get_or_insert(first_frames(pid, &arena)?);
        let mut driver = Driver::new(&arena, (&watch, &tally), pid, 0)?;
        // A zombie has no memory, and its pid is not given to another.
        while driver.request()? != libc::ESRCH {
            if board.requests.get() > PATIENCE {
                return Err(Stop::Fail("no end".into()));
            }
        }
        let want = match ending {
            Ending::Kill(_) => End::Signal(libc::SIGKILL),
            _ => End::Code(0),
        };
        checks.eq("the end of a process", sys::wait(pid, true)?, Some(want));
        board.check(checks);
    }
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    checks.note(tally.said());
    tally.check(checks, plan);
    for what in tally.missing(plan) {
        checks.that(false, || what);
    }
    frames.ok_or(Stop::Fail("no process".into()))
}

/// Starts the process, and waits until its threads are at it.
fn start(arena: &Arena, plan: &Plan, ending: Ending) -> Result<i32, Stop> {
    let Some(pid) = sys::fork()? else {
        process::run(arena, plan, ending)
    };
    while arena.board.rounds.get() < 2 * arena::OWNERS as u64 {
        if let Some(end) = sys::wait(pid, false)? {
            return Err(Stop::Fail(format!("the process ended at once: {end:?}")));
        }
        sys::give_way();
    }
    Ok(pid)
}

/// The frames that the memory has now, from the first page's on.
fn first_frames(pid: i32, arena: &Arena) -> Result<(u64, usize), Stop> {
    loop {
        if let Some(pfn) = pagemap::read(pid, arena.address, 1)?[0].pfn() {
            return Ok((pfn, arena.pages()));
        }
        // The process itself may have had it reclaimed.
        sys::give_way();
    }
}

/// Has all drivers at it, until enough was seen.
fn drive(arena: &Arena, watch: &Watch<'_>, pid: i32) -> Result<Tally, Stop> {
    let end = AtomicBool::new(false);
    let tally = Mutex::new(Tally::default());
    // Also when it went wrong.
    let ended = |done: io::Result<()>| {
        end.store(true, Relaxed);
        done
    };
    let triggers = watch.plan.triggers;
    let switches = watch.plan.switched > 0;
    // Two that share a CPU take turns, and the scheduler may leave them there for good: a kernel that
    // is preempted lazily lets each come to the end of what it has begun.
    let beside_others = |number| {
        if triggers + u64::from(switches) > 1 {
            sys::stay_on_cpu_of(number);
        }
    };
    let one = |number| {
        beside_others(number);
        let driver = Driver::new(arena, (watch, &tally), pid, number);
        ended(driver.and_then(|mut driver| driver.run(&end)))
    };
    let switch = || {
        beside_others(triggers);
        ended(swap::switch(arena.board, &end))
    };
    let results: Vec<io::Result<()>> = thread::scope(|scope| {
        let mut all: Vec<_> = (0..triggers)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        if switches {
            all.push(scope.spawn(switch));
        }
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            let died = |_| Err(io::Error::other("a driver died"));
            thread.join().unwrap_or_else(died)
        };
        all.into_iter().map(join).collect()
    });
    for result in results {
        result?;
    }
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(watch.with_live(&tally)?)
}
