// SPDX-License-Identifier: GPL-2.0

//! A folio that is unmapped hundreds of times while threads use it, and all kinds of things happen
//! to the memory it is in.
//!
//! What is counted are requests by the batched path that succeeded, and took several entries in one
//! go: after each of them nothing mapped the large folio any more. In live mode, it is the calls that
//! left a large folio without any mapping. Where nothing but threads and requests race, and in
//! "everything", there must be 200 (100 of everything with four CPUs); elsewhere as many as do not take
//! long, and together with these hundreds. Requests for small folios, by the kernel's own path, that
//! came too late or put entries back, are not counted.

mod discarded;
mod plans;

use std::thread::sleep;
use std::time::Duration;

use super::course;
use crate::knobs;
use crate::observe::{mthp, vmstat, System};
use crate::race::{self, Ending, Plan};
use crate::runner::Test;
use crate::shape::{bytes, whole};
use crate::sys;
use crate::verdict::{Checks, Stop};

/// What of anonymous memory may be in use in the end that was not before: the tests' own.
const SLACK_PAGES: i64 = 64;
/// How many processes exit in the middle, at least.
const EXITS: u64 = 10;
/// And at most so many times as many, until enough was seen.
const MORE: u64 = 20;

/// One test.
#[derive(Clone)]
struct Race {
    name: &'static str,
    /// The order of the folio; `None` is that of a PMD.
    order: Option<u32>,
    plan: Plan,
    ready: fn() -> std::io::Result<()>,
    exits: bool,
    /// Whether it takes swap that large folios go to as they are.
    swap: bool,
}

/// On one CPU, where threads take turns.
pub fn on_one() -> Vec<Test> {
    tests(1)
}

/// On two.
pub fn on_two() -> Vec<Test> {
    tests(2)
}

/// On four.
pub fn on_four() -> Vec<Test> {
    tests(4)
}

fn tests(cpus: u64) -> Vec<Test> {
    let with_race = |race: Race| test(cpus, race.name, move |checks| run(checks, &race));
    let mut all: Vec<_> = plans::races(cpus).into_iter().map(with_race).collect();
    all.push(test(cpus, "MADV_DONTNEED", move |checks| {
        discarded::run(checks, cpus)
    }));
    all
}

/// A test that wants so many CPUs.
fn test(cpus: u64, name: &str, body: impl Fn(&mut Checks) -> Result<(), Stop> + 'static) -> Test {
    let name = format!("races: {name}, CPUs: {cpus}");
    Test::new(name, move |checks| match sys::cpus() == cpus {
        true => body(checks),
        false => Err(Stop::Skip(format!("not a machine with {cpus} CPUs"))),
    })
}

fn run(checks: &mut Checks, race: &Race) -> Result<(), Stop> {
    let order = race.order.unwrap_or(mthp::pmd_order());
    if race.swap {
        whole::must_be_swapped(order)?;
    }
    let plan = Plan {
        pages: 1 << order,
        ..race.plan.clone()
    };
    knobs::only_folios_of(Some(bytes(plan.pages) as usize / 1024))?;
    let origin = System::take()?;
    let anon = vmstat::summed("nr_anon_pages")?;
    (race.ready)()?;
    let frames = match race.exits {
        false => race::run(checks, &plan)?,
        true => {
            let after = |k| 4 + k % 4;
            let ending = |k| match k % 2 {
                0 => Ending::Exit(after(k / 2)),
                _ => Ending::Kill(after(k / 2)),
            };
            let endings = (0..MORE * EXITS).map(ending);
            race::run_to_the_end(checks, &plan, EXITS as usize, endings)?
        }
    };
    knobs::empty_swap()?;
    course::check_gone(checks, frames, &origin)?;
    check_anon(checks, anon)
}

/// All anonymous memory must have been given back; some is a moment after the end of a process.
fn check_anon(checks: &mut Checks, before: i64) -> Result<(), Stop> {
    let mut more = 0;
    for _ in 0..100 {
        more = vmstat::summed("nr_anon_pages")? - before;
        if more.abs() <= SLACK_PAGES {
            break;
        }
        sleep(Duration::from_millis(20));
    }
    checks.that(more.abs() <= SLACK_PAGES, || {
        format!("{more} pages more of anonymous memory than before")
    });
    Ok(())
}
