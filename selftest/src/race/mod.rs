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
mod op;
mod owner;
mod plan;
mod process;
mod reclaim;
mod words;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use crate::count;
use crate::live;
use crate::observe::pagemap;
use crate::sys::{self, errno_name, End};
use crate::verdict::{Checks, Stop};
use arena::Arena;
use board::Board;
use driver::{Driver, Tally};
pub use op::Op;
pub use plan::Plan;
use plan::Watch;
pub use process::Ending;
use reclaim::Reclaim;

/// Requests until a process must have ended.
const PATIENCE: u64 = 100_000;

/// Has a process race, as planned; returns the frames of the first folio.
pub fn run(checks: &mut Checks, plan: &Plan) -> Result<(u64, usize), Stop> {
    let board: &Board = count::shared()?;
    let arena = Arena::new(plan.pages, plan.ops.contains(&Op::Merge), board)?;
    sys::use_all_cpus();
    live::set(plan.live)?;
    let reclaim = Reclaim::begin()?;
    let watch = Watch::begin(plan)?;
    let pid = start(&arena, plan, Ending::Told)?;
    let frames = first_frames(pid, &arena)?;
    let tally = match plan.triggers {
        0 => reclaim.until(plan, board)?,
        _ => drive(&arena, (plan, &watch), pid)?,
    };
    board.stop.set(1);
    let end = sys::wait(pid, true)?;
    live::set(false)?;

    let done = plan
        .ops
        .iter()
        .map(|op| (op, board.done[*op as usize].get()));
    let done: Vec<_> = done.map(|(op, n)| format!("{n} {op:?}")).collect();
    checks.note(format!(
        "{}; {} rounds of the threads, {} MiB compared, {} times a new folio; {}",
        said(&tally),
        board.rounds.get(),
        board.compared.get() >> 17,
        board.renewed.get(),
        done.join(", "),
    ));
    checks.eq("the end of the process", end, Some(End::Code(0)));
    board.check(checks);
    check_tally(checks, plan, &tally);
    checks.that(board.compared.get() > 0, || "nothing was compared".into());
    for op in board.never_worked(plan.ops) {
        checks.that(false, || format!("{op:?} never worked"));
    }
    if let Some((name, least)) = plan.event {
        let moved = watch.moved()?;
        checks.note(format!("{name}: {moved}"));
        checks.that(moved >= least, || format!("{name} only moved by {moved}"));
    }
    if plan.live {
        checks.note(format!("live mode took {} calls", reclaim.taken()?));
    }
    Ok(frames)
}

/// Has one process after the other exit or be killed while a request for its memory is under way.
pub fn run_to_the_end(
    checks: &mut Checks,
    plan: &Plan,
    endings: impl Iterator<Item = Ending>,
) -> Result<(u64, usize), Stop> {
    sys::use_all_cpus();
    let watch = Watch::begin(plan)?;
    let mut all = Tally::default();
    let mut frames = None;
    for ending in endings {
        let board: &Board = count::shared()?;
        let arena = Arena::new(plan.pages, false, board)?;
        let pid = start(&arena, plan, ending)?;
        frames.get_or_insert(first_frames(pid, &arena)?);
        let mut driver = Driver::new(&arena, (plan, &watch), pid, 0)?;
        // A zombie has no memory, and its pid is not given to another.
        while driver.request()? != libc::ESRCH {
            if driver.tally.requests > PATIENCE {
                return Err(Stop::Fail(format!("no end: {}", driver.tally.ends())));
            }
        }
        let want = match ending {
            Ending::Kill(_) => End::Signal(libc::SIGKILL),
            _ => End::Code(0),
        };
        checks.eq("the end of a process", sys::wait(pid, true)?, Some(want));
        board.check(checks);
        all.add(driver.tally);
    }
    checks.note(said(&all));
    check_tally(checks, plan, &all);
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

/// Has all drivers at it, until one of them has seen enough.
fn drive(arena: &Arena, with: (&Plan, &Watch), pid: i32) -> Result<Tally, Stop> {
    let end = AtomicBool::new(false);
    let one = |number| {
        let mut driver = Driver::new(arena, with, pid, number)?;
        let done = driver.run(&end);
        // Also when it went wrong.
        end.store(true, Relaxed);
        done.map(|()| driver.tally)
    };
    let results: Vec<io::Result<Tally>> = thread::scope(|scope| {
        let all: Vec<_> = (0..with.0.triggers)
            .map(|number| scope.spawn(move || one(number)))
            .collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            let died = |_| Err(io::Error::other("a driver died"));
            thread.join().unwrap_or_else(died)
        };
        all.into_iter().map(join).collect()
    });
    let mut all = Tally::default();
    for tally in results {
        all.add(tally?);
    }
    Ok(all)
}

fn said(tally: &Tally) -> String {
    format!(
        "{} requests ({}), {} of them batches of a large folio, {} of these raced, {} put back",
        tally.requests,
        tally.ends(),
        tally.large,
        tally.raced,
        tally.restored
    )
}

fn check_tally(checks: &mut Checks, plan: &Plan, tally: &Tally) {
    for what in tally.missing(plan) {
        checks.that(false, || what);
    }
    let documented = [0, libc::EBUSY, libc::ENOENT];
    for errno in tally.ends.keys() {
        let fits = documented.contains(errno) || plan.errnos.contains(errno);
        checks.that(fits, || format!("a request failed: {}", errno_name(*errno)));
    }
    for odd in &tally.odd {
        checks.that(false, || odd.clone());
    }
}
