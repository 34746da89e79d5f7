// SPDX-License-Identifier: GPL-2.0

//! Memory that its process lets go of while a request is about to unmap it. Who lets go finds the
//! folio locked, and leaves the swap slots that it has by then to whoever holds the lock.

use crate::knobs;
use crate::observe::swaps;
use crate::shape::bytes;
use crate::sys::{self, page_size};
use crate::trigger::{Path, Request, Trigger};
use crate::verdict::{Checks, Stop};

/// How many requests have to be in time, and how many too late.
const EACH: u64 = 10;
/// So many times the requests of an ordinary run it may take until there were.
const MOST: u64 = 50;

/// Requests for a page that comes and goes, on a machine with so many CPUs.
pub fn run(checks: &mut Checks, cpus: u64) -> Result<(), Stop> {
    knobs::only_folios_of(None)?;
    sys::use_all_cpus();
    let page = sys::map_anon(page_size())? as u64;
    let before = swaps::used_kb()?;
    let Some(pid) = sys::fork()? else {
        come_and_go(page)
    };
    let trigger = Trigger::open()?;
    let least = sys::repeats(500);
    // With one CPU, a request is only too late if it is interrupted.
    let late = if cpus == 1 { 0 } else { sys::repeats(EACH) };
    let in_time = sys::repeats(EACH);
    let (mut requests, mut unmapped, mut too_late) = (0, 0, 0);
    while requests < least || (unmapped < in_time || too_late < late) && requests < MOST * least {
        let path = [Path::Batched, Path::Kernel][requests as usize % 2];
        requests += 1;
        let answer = trigger.request(&Request::new(pid, page, path))?;
        let entries = answer.report.number("unmapped");
        match (answer.errno, entries) {
            (0, Some(0)) => too_late += 1,
            (0, _) => unmapped += 1,
            (libc::ENOENT | libc::EBUSY, _) => {}
            (errno, _) => return Err(Stop::Fail(sys::errno_name(errno))),
        }
    }
    sys::kill(pid);
    sys::wait(pid, true)?;
    let left = swaps::used_kb()?.saturating_sub(before) / (bytes(1) / 1024);
    checks.note(format!(
        "{requests} requests, {unmapped} unmapped the page, {too_late} came too late, {left} slots are left"
    ));
    checks.that(unmapped >= in_time, || {
        format!("only {unmapped} requests were in time, not {in_time}")
    });
    checks.that(too_late >= late, || {
        format!("only {too_late} requests came too late, not {late}")
    });
    // From the folio's last look for its slots to its unlocking nobody is left to free them, with
    // the kernel's own code, too; but that is a moment.
    checks.that(left <= 1 + too_late / 8, || {
        format!("{left} swap slots are left")
    });
    knobs::empty_swap()?;
    Ok(())
}

/// Writes to the page and gives it back, again and again.
fn come_and_go(page: u64) -> ! {
    sys::die_with_parent();
    loop {
        // SAFETY: The page is this process's own.
        unsafe { (page as *mut u64).write_volatile(1) };
        sys::give_way();
        if sys::madvise(page, page_size(), libc::MADV_DONTNEED).is_err() {
            sys::exit_now(1);
        }
    }
}
