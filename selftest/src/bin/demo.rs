// SPDX-License-Identifier: GPL-2.0

//! Shows what the loaded module does to a few folios, beside what the kernel's own code does.
//!
//! Exits with 0 if everything was as it should be.

use std::process::ExitCode;

use anon_ttu_selftest::demo;

fn main() -> ExitCode {
    match demo::run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            println!("Something was not as it should be.");
            ExitCode::FAILURE
        }
        Err(stop) => {
            println!("The demonstration could not go on: {stop:?}");
            ExitCode::FAILURE
        }
    }
}
