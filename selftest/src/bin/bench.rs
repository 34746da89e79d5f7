// SPDX-License-Identifier: GPL-2.0

//! Measures what unmapping a folio costs, by the kernel's path and by the module's.
//!
//! `bench [REPEATS]`: one line for each folio size, way of sharing, and path.

use std::process::ExitCode;

use anon_ttu_selftest::bench;

fn main() -> ExitCode {
    let repeats = std::env::args().nth(1).and_then(|n| n.parse().ok());
    match bench::run(repeats.unwrap_or(5)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            println!("The measurement could not go on: {stop:?}");
            ExitCode::FAILURE
        }
    }
}
