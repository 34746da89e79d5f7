// SPDX-License-Identifier: GPL-2.0

//! Live mode under memory pressure, while calls fail now and then: no byte is lost.

use std::time::Duration;

use crate::faults::NowAndThen;
use crate::live;
use crate::observe::mthp;
use crate::pressure::{self, Plan};
use crate::runner::Test;
use crate::shape::whole;
use crate::sys;
use crate::trigger;
use crate::verdict::{Checks, Stop};

/// How long, on a kernel that is not slow.
const TIME: Duration = Duration::from_secs(5);
/// What the memory control group may use.
const LIMIT: usize = 48 << 20;

/// One test.
pub fn tests() -> Vec<Test> {
    vec![Test::new(
        "faults-around: live mode under memory pressure",
        run,
    )]
}

fn run(checks: &mut Checks) -> Result<(), Stop> {
    let faults = NowAndThen::new()?;
    whole::must_be_swapped(mthp::pmd_order())?;
    let plan = Plan {
        seconds: sys::patience(TIME).as_secs(),
        limit: LIMIT,
        live: true,
        ..Plan::default()
    };
    let number = |key| Ok::<_, Stop>(trigger::stats()?.number(key).unwrap_or(0));
    let keys = ["restored", "failed_pinned", "failed_swap_count"];
    let before = keys.map(number);
    live::set(true)?;
    let mut said = Vec::new();
    let ended = pressure::run(checks, &plan, None, &mut |line| said.push(line));
    live::set(false)?;
    said.into_iter().for_each(|line| checks.note(line));
    ended?;
    checks.note(faults.count()?.to_string());
    for (key, before) in keys.into_iter().zip(before) {
        let (before, now) = (before?, number(key)?);
        checks.note(format!("{key}: {}", now - before));
        checks.that(now > before, || format!("{key} has not moved"));
    }
    Ok(())
}
