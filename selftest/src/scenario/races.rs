// SPDX-License-Identifier: GPL-2.0

//! A folio that is unmapped hundreds of times while threads use it, and all kinds of things happen
//! to the memory it is in.

use std::thread::sleep;
use std::time::Duration;

use super::{course, discarded};
use crate::knobs;
use crate::observe::{mthp, vmstat, System};
use crate::race::{self, Ending, Op, Plan};
use crate::runner::Test;
use crate::shape::{bytes, whole};
use crate::sys;
use crate::verdict::{Checks, Stop};

/// What of anonymous memory may be in use in the end that was not before: the tests' own.
const SLACK_PAGES: i64 = 64;
/// The folio that most tests race for.
const ORDER: u32 = 4;
/// With what a request may fail where folios are split: pages of zeroes become the zero page.
const SPLIT_ERRNOS: &[i32] = &[libc::EOPNOTSUPP];
/// How many processes exit in the middle.
const EXITS: u64 = 10;

/// One test.
#[derive(Clone)]
struct Race {
    name: &'static str,
    /// The order of the folio; `None` is that of a PMD.
    order: Option<u32>,
    plan: Plan,
    ready: fn() -> std::io::Result<()>,
    exits: bool,
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
    let mut all: Vec<_> = races(cpus).into_iter().map(with_race).collect();
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

fn races(cpus: u64) -> Vec<Race> {
    // With one CPU a request only meets what was interrupted in the middle.
    let raced = if cpus == 1 { 1 } else { sys::repeats(10) };
    let plain = Race {
        name: "",
        order: Some(ORDER),
        plan: Plan {
            pages: 1 << ORDER,
            ops: &[],
            writes: 8,
            triggers: 1,
            live: false,
            renew: true,
            split: false,
            large: sys::repeats(30),
            raced,
            restored: 0,
            event: None,
            errnos: &[],
        },
        ready: || Ok(()),
        exits: false,
    };
    let race = |name, ops: &'static [Op]| {
        let mut race = plain.clone();
        race.name = name;
        race.plan.ops = ops;
        race
    };
    let large = |name, ops: &'static [Op]| {
        let mut race = race(name, ops);
        race.order = None;
        race.plan.large = sys::repeats(20);
        race.plan.raced = raced.min(5);
        // To collapse them makes them large again.
        race.plan.renew = false;
        race
    };

    let mut exits = race("exit", &[]);
    exits.exits = true;
    exits.plan.large = EXITS;
    exits.plan.raced = u64::from(cpus > 1);
    exits.plan.errnos = &[libc::ESRCH];

    let mut khugepaged = large("khugepaged", &[]);
    khugepaged.ready = knobs::busy_khugepaged;
    khugepaged.plan.split = true;
    khugepaged.plan.errnos = SPLIT_ERRNOS;
    khugepaged.plan.event = Some(("thp_collapse_alloc", 2));

    let mut ksm = race("KSM", &[Op::Merge, Op::Unmerge]);
    ksm.ready = knobs::busy_ksm;
    ksm.plan.event = Some(("cow_ksm", 10));
    ksm.plan.large = sys::repeats(10);
    ksm.plan.raced = raced.min(5);
    ksm.plan.errnos = &[libc::EOPNOTSUPP];

    let mut pins = race("pins", &[Op::Pin]);
    pins.plan.restored = if cpus == 1 { 0 } else { sys::repeats(5) };

    let mut split = race("split", &[Op::Split]);
    split.plan.errnos = SPLIT_ERRNOS;

    let mut two = race("two requests at once", &[]);
    two.plan.triggers = 2;

    let mut live = race("live, MADV_PAGEOUT by all threads", &[Op::Pageout]);
    live.plan.triggers = 0;
    live.plan.live = true;

    // Between the write to swap and a flush that was put off until after it there is not much time
    // for a write to get lost: threads that do nothing but write will hit it.
    let mut without_pause = live.clone();
    without_pause.name = "live, pages written without a pause";
    without_pause.plan.writes = 2000;

    const EVERYTHING: &[Op] = &[
        Op::Fork,
        Op::Unmap,
        Op::Protect,
        Op::Move,
        Op::Pageout,
        Op::Pin,
        Op::Merge,
        Op::Unmerge,
    ];
    let mut everything = race("everything", EVERYTHING);
    everything.plan.triggers = 2;
    everything.plan.live = true;
    everything.plan.large = sys::repeats(15);
    everything.plan.errnos = &[libc::EOPNOTSUPP];
    everything.ready = || knobs::busy_khugepaged().and_then(|()| knobs::busy_ksm());

    vec![
        race("threads", &[]),
        live,
        without_pause,
        two,
        pins,
        exits,
        race("mprotect", &[Op::Protect]),
        race("fork", &[Op::Fork]),
        race("munmap", &[Op::Unmap]),
        race("mremap", &[Op::Move]),
        split,
        race("mlock", &[Op::Lock]),
        large("MADV_COLLAPSE", &[Op::Collapse]),
        khugepaged,
        ksm,
        everything,
    ]
}

fn run(checks: &mut Checks, race: &Race) -> Result<(), Stop> {
    let order = race.order.unwrap_or(mthp::pmd_order());
    whole::must_be_swapped(order)?;
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
            race::run_to_the_end(checks, &plan, (0..EXITS).map(ending))?
        }
    };
    knobs::empty_swap()?;
    course::check_gone(checks, frames, &origin)?;
    check_anon(checks, anon)
}

/// All anonymous memory must have been given back; some is a moment after the end of a process.
fn check_anon(checks: &mut Checks, before: i64) -> Result<(), Stop> {
    let mut more = 0;
    for _ in 0..20 {
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
