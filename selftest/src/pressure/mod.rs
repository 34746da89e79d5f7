// SPDX-License-Identifier: GPL-2.0

//! Reclaim under pressure: processes whose threads keep several times the memory that their
//! control group may use, in folios of all sizes, and know what every byte of it must be.

mod idle;
mod memory;
mod tally;
mod toggle;
mod worker;

use std::fs;
use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::knobs;
use crate::observe::{mthp, swaps, System};
use crate::sys::{self, End};
use crate::trigger;
use crate::verdict::{Checks, Stop};
use idle::{check_nothing_stays, Idle};
use memory::UNIT;
use tally::Tally;
pub use toggle::Toggle;

const MIB: usize = 1 << 20;
/// How long the processes may take to get all their memory, and to look at it once more and end.
const PATIENCE: Duration = Duration::from_secs(600);

/// How much of what.
pub struct Plan {
    /// How long, from when all have their memory, unless something is switched on and off.
    pub seconds: u64,
    /// The limit of the control group.
    pub limit: usize,
    /// The memory of all processes together, in limits.
    pub times: usize,
    /// Processes.
    pub processes: u64,
    /// Threads of each.
    pub threads: u64,
    /// Whether live mode must take calls meanwhile.
    pub live: bool,
    /// Whether the processes also make requests of their own memory.
    pub requests: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            seconds: 60,
            limit: 96 * MIB,
            times: 3,
            processes: 2,
            threads: 2,
            live: false,
            requests: false,
        }
    }
}

/// A RAM disk takes memory when a page is first written, and never gives it back: write all.
fn use_up_ram_disks() -> io::Result<()> {
    for area in swaps::areas()? {
        if !area.path.starts_with("/dev/ram") {
            continue;
        }
        sys::swapoff(&area.path)?;
        let mut device = fs::OpenOptions::new().write(true).open(&area.path)?;
        let zeroes = vec![0; MIB];
        for _ in 0..area.size_kb / 1024 {
            device.write_all(&zeroes)?;
        }
        device.sync_all()?;
        swaps::make(&area.path, area.size_kb)?;
        sys::swapon(&area.path)?;
    }
    Ok(())
}

/// The sizes that are in use here, in KiB.
fn sizes() -> impl Iterator<Item = usize> {
    let all = mthp::sizes().iter().copied();
    all.filter(|kb| (16..=UNIT / 1024).contains(kb))
}

/// How many folios of each size went to swap whole between two looks.
fn large_folios_out(now: &System, then: &System) -> Vec<(usize, i64)> {
    let moved = |kb: usize| now.moved(then, &format!("{kb}kB/swpout"));
    sizes().map(|kb| (kb, moved(kb))).collect()
}

/// Puts memory under pressure, and checks that nothing is lost and nothing stays. Says in a line
/// what goes on, every few seconds, and in the end what was done.
pub fn run(
    checks: &mut Checks,
    plan: &Plan,
    mut toggle: Option<Toggle>,
    say: &mut dyn FnMut(String),
) -> Result<(), Stop> {
    // This process shall look the same before and after.
    sys::large_folios(false);
    sys::lock_memory()?;
    for kb in sizes() {
        knobs::write(mthp::enabled_path(kb), "always")?;
    }
    use_up_ram_disks()?;
    let tally = Tally::shared()?;
    let memcg = Cgroup::enter()?;
    let before = Idle::look()?;
    let taken = trigger::stats()?.number("live_taken");
    memcg.set("memory.max", &plan.limit.to_string())?;

    let each = (plan.limit * plan.times) / (plan.processes * plan.threads) as usize / UNIT * UNIT;
    let mut pids = Vec::new();
    for number in 0..plan.processes {
        match sys::fork()? {
            None => {
                sys::large_folios(true);
                worker::run(number, plan, each, tally)
            }
            Some(pid) => pids.push(pid),
        }
    }

    // On a busy host it takes long until all memory is there; the time is for what comes then.
    let mut start = Instant::now();
    let mut filled = false;
    let mut progress = Progress::new();
    let mut died = None;
    while died.is_none() {
        if !filled && tally.ready.get() == plan.processes * plan.threads {
            start = Instant::now();
            filled = true;
        }
        let limit = if filled {
            Duration::from_secs(plan.seconds)
        } else {
            PATIENCE
        };
        let in_time = || start.elapsed() < limit;
        let more = match &mut toggle {
            Some(toggle) => toggle.step(checks)? && (toggle.ends() || in_time()),
            None => in_time(),
        };
        if !more {
            break;
        }
        if progress.due() {
            let seconds = start.elapsed().as_secs();
            let switched = toggle.as_ref().map_or(String::new(), |t| format!("{t}, "));
            say(format!("{seconds} s: {switched}{}", done(tally, &before)?));
        }
        sleep(Duration::from_millis(50));
        died = reap(&mut pids)?;
    }
    tally.stop.add(1);
    let stopped = Instant::now();
    while !pids.is_empty() && died.is_none() && stopped.elapsed() < PATIENCE {
        if progress.due() {
            say(format!("stopping: {}", done(tally, &before)?));
        }
        sleep(Duration::from_millis(50));
        died = reap(&mut pids)?;
    }
    checks.eq("processes that did not end well", died, None);
    checks.eq("processes that did not end in time", pids.len(), 0);
    for pid in pids {
        sys::kill(pid);
        let _ = sys::wait(pid, true);
    }
    let switched = toggle.as_ref().map_or(String::new(), |t| format!("{t}, "));
    say(format!("{switched}{}", done(tally, &before)?));
    check_nothing_lost(checks, plan, tally);
    check_nothing_stays(checks, &memcg, &before, say)?;
    check_large_folios(checks, &before, say)?;
    if plan.live {
        let now = trigger::stats()?.number("live_taken");
        let taken = now.zip(taken).and_then(|(now, then)| now.checked_sub(then));
        say(format!("live mode took {} calls", taken.unwrap_or(0)));
        checks.that(taken > Some(0), || "live mode took no call".into());
    }
    Ok(())
}

/// When it is time to say how far things are: every few seconds, and seldom when it takes long.
struct Progress {
    begun: Instant,
    said: Instant,
}

impl Progress {
    fn new() -> Self {
        let now = Instant::now();
        Progress {
            begun: now,
            said: now,
        }
    }

    fn due(&mut self) -> bool {
        let due = self.said.elapsed() >= Duration::from_secs(5).max(self.begun.elapsed() / 20);
        if due {
            self.said = Instant::now();
        }
        due
    }
}

/// Waits for those that have ended; says how if not well.
fn reap(pids: &mut Vec<i32>) -> io::Result<Option<End>> {
    for k in (0..pids.len()).rev() {
        if let Some(end) = sys::wait(pids[k], false)? {
            pids.swap_remove(k);
            if end != End::Code(0) {
                return Ok(Some(end));
            }
        }
    }
    Ok(None)
}

/// One line on what has been done.
fn done(tally: &Tally, before: &Idle) -> io::Result<String> {
    let now = System::take()?;
    Ok(format!(
        "{} MiB compared, {} bytes lost, {} forks, {} requests, {} pages dropped, {} MiB in swap, \
         {} large folios swapped out",
        tally.checked.get() >> 20,
        tally.lost.get(),
        tally.forks.get(),
        tally.requests.get(),
        tally.dropped.get(),
        now.swap_used_kb >> 10,
        large_folios_out(&now, &before.system)
            .iter()
            .map(|(_, n)| n)
            .sum::<i64>(),
    ))
}

fn check_nothing_lost(checks: &mut Checks, plan: &Plan, tally: &Tally) {
    checks.eq("bytes lost", tally.lost.get(), 0);
    checks.that(tally.checked.get() > 0, || "nothing was compared".into());
    checks.that(tally.forks.get() > 0, || "nothing was forked".into());
    let asked = !plan.requests || tally.requests.get() > 0;
    checks.that(asked, || "nothing was asked for".into());
}

/// Without large folios that went to swap whole, the test was about nothing.
fn check_large_folios(
    checks: &mut Checks,
    before: &Idle,
    say: &mut dyn FnMut(String),
) -> Result<(), Stop> {
    let out = large_folios_out(&System::take()?, &before.system);
    let words: Vec<_> = out
        .iter()
        .map(|(kb, n)| format!("{n} of {kb} kB"))
        .collect();
    say(format!("swapped out whole: {}", words.join(", ")));
    for (kb, n) in out {
        checks.that(n > 0, || format!("no folio of {kb} kB went to swap"));
    }
    Ok(())
}
