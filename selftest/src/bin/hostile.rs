// SPDX-License-Identifier: GPL-2.0

//! Hostile requests, as many as one likes.
//!
//! usage: hostile SEED FIRST REQUESTS 0|1|both      the last: live mode
//! The last line says "N passed, N failed, N skipped". Exits with 0 if none failed.

use std::env;
use std::process::ExitCode;

use anon_ttu_selftest::hostile::{self, Plan};
use anon_ttu_selftest::knobs::{Quiet, Saved};
use anon_ttu_selftest::observe::mthp;
use anon_ttu_selftest::shape::whole;
use anon_ttu_selftest::verdict::Checks;

fn main() -> ExitCode {
    let Some(plan) = parse() else {
        eprintln!("usage: hostile SEED FIRST REQUESTS 0|1|both");
        return ExitCode::from(2);
    };
    let _quiet = Quiet::new();
    let saved = Saved::save();
    mthp::open();
    whole::find_out();
    let mut checks = Checks::default();
    println!(
        "seed {}, {} requests from {} on",
        plan.seed, plan.requests, plan.first
    );
    let judged = hostile::run(&mut checks, &plan, &mut |line| println!("{line}"));
    let mut wrong = saved.restore();
    wrong.extend(checks.broken().iter().cloned());
    let (done, mut failed) = match judged {
        Ok(judged) => (judged.done, judged.failed),
        Err(stop) => {
            wrong.push(format!("{stop:?}"));
            (0, 1)
        }
    };
    wrong.iter().for_each(|line| println!("FAIL {line}"));
    // What is wrong in the end is no request's.
    if !wrong.is_empty() && failed == 0 {
        failed = 1;
    }
    println!(
        "{} passed, {failed} failed, 0 skipped",
        done.saturating_sub(failed)
    );
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn parse() -> Option<Plan> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [seed, first, requests, live] = &args[..] else {
        return None;
    };
    Some(Plan {
        seed: seed.parse().ok()?,
        first: first.parse().ok()?,
        requests: requests.parse().ok()?,
        live: match live.as_str() {
            "0" => Some(false),
            "1" => Some(true),
            "both" => None,
            _ => return None,
        },
    })
}
