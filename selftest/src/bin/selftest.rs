// SPDX-License-Identifier: GPL-2.0

//! Judges the loaded module, and prints KTAP.
//!
//! `selftest` runs all groups, `selftest GROUP...` runs those, `selftest --list` prints their
//! names, and the options of qemu/run that their guests need, `selftest --scenarios` what they are
//! about. `quick` is a selection from all groups. With `--first-failure` in front, nothing runs
//! after a test that failed; with `--all-there`, a test fails, and is not skipped, for which the
//! kernel lacks a test driver or fault injection. Exits with 0 if nothing failed.

use std::env;
use std::path::Path;
use std::process::ExitCode;

use anon_ttu_selftest::scenario::{quick, titles::TITLES, GROUPS};
use anon_ttu_selftest::{runner, trigger, verdict};

fn main() -> ExitCode {
    let mut args: Vec<String> = env::args().skip(1).collect();
    if args == ["--list"] {
        for group in &GROUPS {
            println!("{}", format!("{} {}", group.name, group.options).trim_end());
        }
        return ExitCode::SUCCESS;
    }
    if args == ["--scenarios"] {
        for (title, groups) in TITLES {
            println!("{title}\t{}", groups.join(" "));
        }
        return ExitCode::SUCCESS;
    }
    let mut option = |name: &str| {
        let given = args.first().is_some_and(|a| a == name);
        args.drain(..usize::from(given));
        given
    };
    if option("--all-there") {
        verdict::must_all_be_there();
    }
    let first_failure = option("--first-failure");
    let known = |a: &str| a == "quick" || GROUPS.iter().any(|g| g.name == a);
    if let Some(odd) = args.iter().find(|a| !known(a)) {
        eprintln!("selftest: no group {odd}; --list prints them, and there is quick");
        return ExitCode::from(2);
    }
    let wanted = |name: &str| args.is_empty() || args.iter().any(|a| a == name);
    let groups = GROUPS.iter().filter(|g| wanted(g.name));
    let mut tests: Vec<_> = groups.flat_map(|g| (g.tests)()).collect();
    if args.iter().any(|a| a == "quick") {
        match quick() {
            Ok(some) => tests.extend(some),
            Err(name) => {
                eprintln!("selftest: quick wants a test that there is not: {name}");
                return ExitCode::from(2);
            }
        }
    }
    if !Path::new(trigger::UNMAP).exists() {
        println!("KTAP version 1");
        println!("1..{}", tests.len());
        println!(
            "Bail out! {} is missing: is the module loaded, and debugfs mounted?",
            trigger::UNMAP
        );
        return ExitCode::FAILURE;
    }
    match runner::run(&tests, first_failure) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}
