// SPDX-License-Identifier: GPL-2.0

//! Running a property over many cases, and what the properties share.
//!
//! The cases are the same in every run, unless `HOST_TESTS_SEED` (a number) says otherwise.
//! `HOST_TESTS_FACTOR` multiplies how many there are.

use proptest::{
    strategy::Strategy,
    test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner},
};
use std::{env, fmt::Debug};

fn number(name: &str, default: u64) -> u64 {
    match env::var(name) {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(number) => number,
            Err(_) => panic!("{name}={text} is not a number"),
        },
        _ => default,
    }
}

/// Holds `property` against `cases` values, and shows the simplest one that it fails for.
pub(crate) fn holds<S: Strategy>(
    cases: u32,
    strategy: S,
    property: impl Fn(S::Value) -> TestCaseResult,
) where
    S::Value: Debug,
{
    let number_of_seed = number("HOST_TESTS_SEED", 1);
    let factor = number("HOST_TESTS_FACTOR", 1) as u32;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number_of_seed.to_le_bytes());
    let config = Config {
        cases: cases * factor,
        max_local_rejects: Config::default().max_local_rejects * factor,
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    if let Err(error) = TestRunner::new_with_rng(config, rng).run(&strategy, property) {
        panic!("HOST_TESTS_SEED={number_of_seed}: {error}");
    }
}

/// Gives rows in turn until there are `nr`.
pub(crate) fn lay_out<T: Copy>(rows: &[(usize, T)], nr: usize) -> Vec<T> {
    rows.iter()
        .cycle()
        .flat_map(|&(length, value)| core::iter::repeat_n(value, length))
        .take(nr)
        .collect()
}
