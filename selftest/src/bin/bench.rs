// SPDX-License-Identifier: GPL-2.0

//! Measures what unmapping costs, by the kernel's path and by the module's, and prints a line of
//! JSON for each cell of the grid.
//!
//! `inside` is one `try_to_unmap()`, `outside` one `madvise(MADV_PAGEOUT)`.

use std::process::ExitCode;

use anon_ttu_selftest::bench::{self, Choice};

fn main() -> ExitCode {
    let choice = match Choice::parse(std::env::args().skip(1)) {
        Ok(choice) => choice,
        Err(odd) => {
            eprintln!("bench: what is '{odd}'?");
            eprintln!("usage: bench [inside] [outside] [repeats=N] [mib=N] [sizes=4,64,...]");
            eprintln!("             [cases=exclusive,shared2,shared8,alternating,half] [paths=kernel,batched]");
            return ExitCode::from(2);
        }
    };
    match bench::run(&choice) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(stop) => {
            eprintln!("bench: {stop:?}");
            ExitCode::FAILURE
        }
    }
}
