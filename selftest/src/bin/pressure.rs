// SPDX-License-Identifier: GPL-2.0

//! Puts memory under pressure for long, for live mode under real reclaim, and with failures that
//! are injected meanwhile.
//!
//! usage: pressure [--seconds N] [--limit MIB] [--times N] [--processes N] [--threads N]
//!                 [--live 0|1] [--toggle TIMES] [--switch 0|1] [--requests 0|1] [--faults 0|1]
//! `--toggle` switches live mode and reloads the module so often, `--switch` switches live mode all
//! the time, `--requests` has the processes make requests of their own memory (not with `--toggle`),
//! `--faults` injects failures where the kernel can, and fails if none was.
//! Exits with 0 if no byte was lost and nothing stayed behind.

use std::env;
use std::process::ExitCode;

use anon_ttu_selftest::faults::{self, NowAndThen};
use anon_ttu_selftest::knobs::{Quiet, Saved};
use anon_ttu_selftest::live;
use anon_ttu_selftest::observe::mthp;
use anon_ttu_selftest::pressure::{self, Plan, Toggle};
use anon_ttu_selftest::verdict::{Checks, Stop};

fn main() -> ExitCode {
    let Some((plan, toggle, faults)) = parse() else {
        eprintln!("usage: pressure [--seconds N] [--limit MIB] [--times N] [--processes N]");
        eprintln!("                [--threads N] [--live 0|1] [--toggle TIMES] [--switch 0|1]");
        eprintln!("                [--requests 0|1] [--faults 0|1]");
        return ExitCode::from(2);
    };
    // Who switches waits for each task to sleep or to leave the kernel. khugepaged, the least of
    // all, can be in reclaim for minutes without either.
    let _quiet = toggle.as_ref().map(|_| Quiet::new());
    let saved = Saved::save();
    mthp::open();
    let mut checks = Checks::default();
    let ended = go(&mut checks, &plan, toggle, faults);
    for line in saved.restore().iter().chain(checks.broken()) {
        println!("pressure: FAIL {line}");
    }
    match ended {
        Err(Stop::Fail(why) | Stop::Skip(why)) => {
            println!("pressure: FAIL {why}");
            ExitCode::FAILURE
        }
        Ok(()) if !checks.broken().is_empty() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
    }
}

fn go(checks: &mut Checks, plan: &Plan, toggle: Option<Toggle>, faults: bool) -> Result<(), Stop> {
    if plan.live {
        live::set(true)?;
    }
    let faults = match faults && faults::possible() {
        true => Some(NowAndThen::new()?),
        false => None,
    };
    let ended = pressure::run(checks, plan, toggle, &mut |line| {
        println!("pressure: {line}")
    });
    if let Some(faults) = faults {
        let injected = faults.count()?;
        println!("pressure: {injected}");
        checks.that(injected.total() > 0, || "no failure was injected".into());
    }
    ended
}

fn parse() -> Option<(Plan, Option<Toggle>, bool)> {
    let mut plan = Plan::default();
    let mut toggle = None;
    let mut faults = false;
    let mut args = env::args().skip(1);
    while let Some(name) = args.next() {
        let value: u64 = args.next()?.parse().ok()?;
        match name.as_str() {
            "--seconds" => plan.seconds = value,
            "--limit" => plan.limit = (value as usize) << 20,
            "--times" => plan.times = value as usize,
            "--processes" => plan.processes = value,
            "--threads" => plan.threads = value,
            "--live" => plan.live = value != 0,
            "--toggle" => toggle = Some(Toggle::new(value)),
            "--switch" if value != 0 => toggle = Some(Toggle::live_only()),
            "--switch" => {}
            "--requests" => plan.requests = value != 0,
            "--faults" => faults = value != 0,
            _ => return None,
        }
    }
    // An open file of the module would keep it from being taken out.
    let reloads = toggle.as_ref().is_some_and(Toggle::reloads);
    (!plan.requests || !reloads).then_some((plan, toggle, faults))
}
