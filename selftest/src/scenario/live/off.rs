// SPDX-License-Identifier: GPL-2.0

//! Live mode is switched off while processes have their memory reclaimed: when that is done, no call
//! of theirs is under way any more.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant};

use crate::count::{self, Count, Counters};
use crate::knobs;
use crate::live::{self, Since};
use crate::runner::Test;
use crate::shape::{bytes, whole};
use crate::sys::{self, page_size};
use crate::verdict::{Checks, Stop};

/// Of one folio of this order each process has memory.
const ORDER: u32 = 4;
/// How many processes there are.
const PROCESSES: usize = 2;
/// How often live mode is switched off.
const TIMES: u64 = 8;
/// How long a process may take for what takes no time.
const PATIENCE: Duration = Duration::from_secs(30);

/// The test.
pub fn test() -> Test {
    Test::new("live: off, and no call is under way", run)
}

/// What the processes say.
#[repr(C)]
struct Board {
    /// How often each has had its memory paged out.
    paged_out: [Count; PROCESSES],
    /// The errno of a call that failed.
    failed: Count,
}

// SAFETY: It is made of counters only.
unsafe impl Counters for Board {}

fn run(checks: &mut Checks) -> Result<(), Stop> {
    whole::must_be_swapped(ORDER)?;
    knobs::only_folios_of(Some(bytes(1 << ORDER) as usize / 1024))?;
    sys::use_all_cpus();
    let board: &Board = count::shared()?;
    let mut pids = Vec::new();
    for paged_out in &board.paged_out {
        match sys::fork()? {
            Some(pid) => pids.push(pid),
            None => page_out(board, paged_out),
        }
    }
    for _ in 0..sys::repeats(TIMES) {
        live::set(true)?;
        let on = Since::now()?;
        until(board, || Ok(on.moved("live_taken")? >= PROCESSES as u64))?;
        live::set(false)?;
        let off = Since::now()?;
        // What was under way has ended then.
        for paged_out in &board.paged_out {
            let before = paged_out.get();
            until(board, || Ok(paged_out.get() > before))?;
        }
        let late = off.moved("live_taken")?;
        checks.eq("calls taken since live mode is off", late, 0);
    }
    for pid in pids {
        sys::kill(pid);
        sys::wait(pid, true)?;
    }
    knobs::empty_swap()?;
    Ok(())
}

/// As a process: goes on until it is killed.
fn page_out(board: &Board, paged_out: &Count) -> ! {
    sys::die_with_parent();
    let Err(error) = page_out_again_and_again(paged_out);
    let errno = error.raw_os_error().unwrap_or(libc::EINVAL);
    board.failed.set(errno as u64);
    sys::exit_now(1)
}

/// Makes a large folio and has it paged out, again and again.
fn page_out_again_and_again(paged_out: &Count) -> io::Result<Infallible> {
    let len = bytes(1 << ORDER) as usize;
    let around = sys::map_anon(2 * len)? as u64;
    let folio = around.next_multiple_of(len as u64);
    sys::madvise(folio, len, libc::MADV_HUGEPAGE)?;
    loop {
        for page in (folio..folio + len as u64).step_by(page_size()) {
            // SAFETY: The page is in the mapping, which is this process's own.
            unsafe { (page as *mut u64).write_volatile(1) };
        }
        sys::madvise(folio, len, libc::MADV_PAGEOUT)?;
        sys::madvise(folio, len, libc::MADV_DONTNEED)?;
        paged_out.add(1);
    }
}

/// Waits until something is so.
fn until(board: &Board, so: impl Fn() -> Result<bool, Stop>) -> Result<(), Stop> {
    let begun = Instant::now();
    while !so()? {
        let errno = board.failed.get();
        if errno != 0 || begun.elapsed() > sys::patience(PATIENCE) {
            let why = sys::errno_name(errno as i32);
            return Err(Stop::Fail(format!("a process does not go on: {why}")));
        }
        sys::give_way();
    }
    Ok(())
}
