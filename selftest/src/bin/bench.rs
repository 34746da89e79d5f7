// SPDX-License-Identifier: GPL-2.0

//! Measures what unmapping costs, by the kernel's path and by the module's.
//!
//! `bench inside [REPEATS]`: one `try_to_unmap()`, for each folio size and way of sharing.
//! `bench outside [REPEATS]`: one `madvise(MADV_PAGEOUT)`, for each folio size.

use std::process::ExitCode;

use anon_ttu_selftest::bench;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let what = args.next();
    let repeats = args.next().map_or(Ok(5), |n| n.parse());
    let done = match (what.as_deref(), repeats) {
        (Some("inside"), Ok(repeats)) => bench::inside(repeats),
        (Some("outside"), Ok(repeats)) => bench::outside(repeats),
        _ => {
            eprintln!("usage: bench inside|outside [REPEATS]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => {
            println!("The measurement could not go on: {stop:?}");
            ExitCode::FAILURE
        }
    }
}
