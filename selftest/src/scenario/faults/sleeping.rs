// SPDX-License-Identifier: GPL-2.0

//! Live mode is switched off, or the module taken out, while a call sleeps in an mmu notifier.

use std::io;
use std::thread::{self, sleep, ScopedJoinHandle};
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::faults::Fault;
use crate::knobs;
use crate::live::{self, Since};
use crate::module::{self, Module};
use crate::observe::System;
use crate::runner::Test;
use crate::scenario::course;
use crate::shape::{self, whole, Mapping};
use crate::subject::Family;
use crate::trigger;
use crate::verdict::{Checks, Stop};

/// How long a call may take to come to its sleep.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long who waits for it has to be seen waiting: longer than the rest of the work takes, and
/// shorter than the sleep.
const WAITING: Duration = Duration::from_secs(8);
const STEP: Duration = Duration::from_millis(50);

/// Who has to wait.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// A write to the switch.
    Off,
    /// Who takes the module out.
    Unload,
}

/// Both.
pub fn tests() -> Vec<Test> {
    let name =
        |what| format!("faults-around: a call sleeps in an mmu notifier: {what} waits for it");
    vec![
        Test::new(name("live off"), |checks| run(checks, Who::Off)),
        Test::new(name("rmmod"), |checks| {
            let ended = run(checks, Who::Unload);
            if module::traces().is_empty() {
                Module::open()?.load("")?;
            }
            trigger::stats()?;
            ended
        }),
    ]
}

fn run(checks: &mut Checks, who: Who) -> Result<(), Stop> {
    let fault = Fault::of_module("sleep_mmu_notifier")?;
    let cgroup = Cgroup::enter()?;
    let family = Family::new(1)?;
    // What earlier tests have left there is emptied with the rest in the end.
    knobs::empty_swap()?;
    let origin = System::take()?;
    let shape = shape::exclusive(&family, 4, Mapping::Pte)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    live::set(true)?;
    let since = Since::now()?;
    fault.once_after(0)?;

    thread::scope(|scope| -> Result<(), Stop> {
        let reclaims = scope.spawn(|| cgroup.reclaim_anon());
        until(PATIENCE, || {
            Ok(fault.has_failed()? || reclaims.is_finished())
        })?;
        checks.eq("whether a call sleeps", fault.has_failed()?, true);
        checks.eq("calls that have ended", since.moved("live_taken")?, 0);
        let waits = scope.spawn(|| match who {
            Who::Off => live::write(b"0").map(drop),
            Who::Unload => module::unload(),
        });
        until(WAITING, || Ok(waits.is_finished()))?;
        checks.eq("whether it has not waited", waits.is_finished(), false);
        checks.eq("whether the call has ended", reclaims.is_finished(), false);
        if who == Who::Off {
            checks.eq("live meanwhile", live::read()?, "1\n".into());
            fault.disarm()?;
        }
        joined(waits)?;
        joined(reclaims)
    })?;

    checks.eq("redirected", live::redirected()?, false);
    match who {
        Who::Off => since.check(
            checks,
            &[("live_taken", 1), ("live_folios", 1), ("failed", 0)],
        )?,
        Who::Unload => checks.eq("left of the module", module::traces(), vec![]),
    }
    let swapped = shape.look()?.processes[0].pages.iter().all(|p| p.swapped());
    checks.eq("swapped", swapped, true);
    course::read_back(checks, &shape)?;
    course::write_all(checks, &shape)?;
    shape.exit()?;
    // Pages of this process went out as well, and have to come back.
    knobs::empty_swap()?;
    course::check_gone(checks, (folio.pfn, folio.pages), &origin)?;
    Ok(())
}

/// Waits for something, or until the time is up.
fn until(limit: Duration, mut what: impl FnMut() -> Result<bool, Stop>) -> Result<(), Stop> {
    for _ in 0..limit.as_millis() / STEP.as_millis() {
        if what()? {
            break;
        }
        sleep(STEP);
    }
    Ok(())
}

fn joined(thread: ScopedJoinHandle<'_, io::Result<()>>) -> Result<(), Stop> {
    match thread.join() {
        Ok(ended) => Ok(ended?),
        Err(_) => Err(Stop::Fail("a thread of the test has panicked".into())),
    }
}
