// SPDX-License-Identifier: GPL-2.0

//! Judges the loaded module, and prints KTAP.
//!
//! `selftest` runs all groups, `selftest GROUP...` runs those, `selftest --list` prints their
//! names. Exits with 0 if nothing failed.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anon_ttu_selftest::scenario::{Group, GROUPS};
use anon_ttu_selftest::{runner, trigger};

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    if args == ["--list"] {
        GROUPS.iter().for_each(|g| println!("{}", g.name));
        return ExitCode::SUCCESS;
    }
    if let Some(odd) = args.iter().find(|a| !GROUPS.iter().any(|g| g.name == **a)) {
        eprintln!("selftest: no group {odd}; --list prints them");
        return ExitCode::from(2);
    }
    let wanted = |g: &&Group| args.is_empty() || args.iter().any(|a| a == g.name);
    let tests: Vec<_> = GROUPS
        .iter()
        .filter(wanted)
        .flat_map(|g| (g.tests)())
        .collect();
    if !Path::new(trigger::UNMAP).exists() {
        println!("KTAP version 1");
        println!("1..{}", tests.len());
        println!(
            "Bail out! {} is missing: is the module loaded, and debugfs mounted?",
            trigger::UNMAP
        );
        return ExitCode::FAILURE;
    }
    match runner::run(&tests) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
