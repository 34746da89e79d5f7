// SPDX-License-Identifier: GPL-2.0

//! Judges the loaded module by plans drawn from seeds.
//!
//! `fuzz seed N SECONDS` takes the plans of N, N + 1, ... until the time is up; `fuzz plan TEXT`
//! takes one. The last line says "N passed, N failed, N skipped". Exits with 0 if none failed.

use std::env;
use std::process::ExitCode;
use std::time::Duration;

use anon_ttu_selftest::random::fuzz;

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let totals = match args[..] {
        ["plan", text] => text.parse().map(fuzz::one),
        ["seed", seed, seconds] => match (seed.parse(), seconds.parse()) {
            (Ok(seed), Ok(seconds)) => Ok(fuzz::many(seed, Duration::from_secs(seconds))),
            _ => Err("seed and seconds are numbers".to_string()),
        },
        _ => Err("usage: fuzz seed N SECONDS | fuzz plan TEXT".into()),
    };
    match totals {
        Ok(totals) if totals.failed == 0 => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("fuzz: {why}");
            ExitCode::from(2)
        }
    }
}
