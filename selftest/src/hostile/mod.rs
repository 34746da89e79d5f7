// SPDX-License-Identifier: GPL-2.0

//! Hostile hands: requests that know the grammar and break it, in all ways to make them, by several
//! threads of several processes, about living and dying ones. Every answer must be the one that the
//! grammar and the target demand, and nobody's memory may suffer.

mod deliver;
mod draw;
mod dying;
mod far;
mod files;
mod grammar;
mod late;
mod open;
mod part;
mod reached;
mod switch;
mod tally;
mod victim;
mod worker;
mod world;

use std::fs::File;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use crate::knobs;
use crate::live::{self, Since};
use crate::observe::{vmstat, System};
use crate::sys::{self, End};
use crate::trigger::UNMAP;
use crate::verdict::{Checks, Stop};
use tally::Tally;
use worker::Worker;
use world::World;

/// Processes that make requests, and threads of each.
const PROCESSES: i32 = 2;
const THREADS: i32 = 2;
/// How often it says how far it is.
const PERIOD: Duration = Duration::from_secs(10);
/// How long live mode stays as it is.
const SWITCH: Duration = Duration::from_millis(200);
/// Of this much anonymous memory the tests make other use.
const SLACK_PAGES: i64 = 256;

/// What is asked.
pub struct Plan {
    /// What all follows from.
    pub seed: u64,
    /// The number of the first request.
    pub first: u64,
    /// How many there are.
    pub requests: u64,
    /// Whether live mode is on; `None` switches it all the time.
    pub live: Option<bool>,
}

/// How many requests were judged, and how many of them were wrong.
pub struct Judged {
    /// All of them.
    pub done: u64,
    /// Wrong.
    pub failed: u64,
}

/// Makes all requests of a plan, and checks the answers and that nothing is left.
pub fn run(checks: &mut Checks, plan: &Plan, say: &mut dyn FnMut(String)) -> Result<Judged, Stop> {
    knobs::empty_swap()?;
    let tally = Tally::shared()?;
    let origin = System::take()?;
    let anon = vmstat::summed("nr_anon_pages")?;
    let world = World::new(plan.seed, tally)?;
    let common = File::options().read(true).write(true).open(UNMAP)?;
    let (mut wrong, out) = sys::pipe()?;
    live::set(plan.live == Some(true))?;
    let since = Since::now()?;

    let mut workers = Vec::new();
    for process in 0..PROCESSES {
        match sys::fork()? {
            None => work(process, &world, tally, &common, plan, &out),
            Some(pid) => workers.push(pid),
        }
    }
    drop(out);
    let start = Instant::now();
    let mut said = start;
    let mut on = false;
    while !workers.is_empty() {
        thread::sleep(Duration::from_millis(20));
        if plan.live.is_none() {
            on = !on;
            switch::set(on)?;
            tally.switched.add(1);
            thread::sleep(SWITCH);
        }
        for k in (0..workers.len()).rev() {
            if let Some(end) = sys::wait(workers[k], false)? {
                workers.swap_remove(k);
                checks.eq("end of a process that asks", end, End::Code(0));
            }
        }
        if said.elapsed() >= PERIOD {
            said = Instant::now();
            say(progress(tally, start));
        }
    }
    switch::check_end(checks, plan.live)?;
    tally.stop.set(1);
    checks.eq("victims that ended badly", world.end()?, Vec::new());
    say(progress(tally, start));
    tally.lines().into_iter().for_each(&mut *say);
    say(format!(
        "live mode took {} calls",
        since.moved("live_taken")?
    ));

    let mut lines = String::new();
    wrong.read_to_string(&mut lines)?;
    checks.that(tally.failed.get() == 0, || {
        format!(
            "seed {}, wrong answers: {}\n{lines}",
            plan.seed,
            tally.failed.get()
        )
    });
    reached::check(checks, plan, tally, &since)?;
    drop(common);
    check_nothing_left(checks, &origin, anon)?;
    Ok(Judged {
        done: tally.done.get(),
        failed: tally.failed.get(),
    })
}

fn progress(tally: &Tally, start: Instant) -> String {
    format!(
        "{} s: {} requests, {} wrong, {} carried out, {} MiB of victims compared, {} bytes lost, \
         {} entries unmapped by path=kernel and {} batched where it was looked at, \
         {} pids used again, {} requests met a death, {} died asking, \
         memory given up {} times, live switched {} times",
        start.elapsed().as_secs(),
        tally.done.get(),
        tally.failed.get(),
        tally.carried.get(),
        tally.compared.get() >> 20,
        tally.lost.get(),
        tally.unmapped[0].get(),
        tally.unmapped[1].get(),
        tally.reused.get(),
        tally.met.get(),
        tally.unanswered.get(),
        tally.given_up.get(),
        tally.switched.get()
    )
}

/// A process that makes requests.
fn work(
    process: i32,
    world: &World,
    tally: &'static Tally,
    common: &File,
    plan: &Plan,
    out: &File,
) -> ! {
    sys::die_with_parent();
    sys::use_all_cpus();
    let all_well = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let slot = process * THREADS + thread;
                scope.spawn(move || -> io::Result<()> {
                    Worker::new(world, tally, slot, common, plan.live)?.run(plan, out);
                    Ok(())
                })
            })
            .collect();
        threads.into_iter().all(|t| matches!(t.join(), Ok(Ok(()))))
    });
    sys::exit_now(i32::from(!all_well))
}

/// All memory and swap must have been given back; some is a moment after the end of a process.
fn check_nothing_left(checks: &mut Checks, origin: &System, anon: i64) -> Result<(), Stop> {
    // What all victims shared is this process's, too.
    victim::unmap_shared()?;
    // Of processes that go on, anything may be in swap.
    knobs::empty_swap()?;
    let mut left = Vec::new();
    for _ in 0..50 {
        // Per-CPU lists hold references for a while; this drains them.
        knobs::write("/proc/sys/vm/drop_caches", "1")?;
        left = System::take()?.left_since(origin);
        let more = vmstat::summed("nr_anon_pages")? - anon;
        if more > SLACK_PAGES {
            left.push(format!("{more} anonymous pages more"));
        }
        if left.is_empty() {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    checks.that(left.is_empty(), || left.join("\n"));
    Ok(())
}
