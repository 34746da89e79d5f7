// SPDX-License-Identifier: GPL-2.0

//! Plans drawn from seeds that stay the same; `make fuzz` draws others.

use crate::random::{draw, test};
use crate::runner::Test;

/// As many as take less than a minute.
const SEEDS: std::ops::Range<u64> = 0..40;

/// One test a seed.
pub fn tests() -> Vec<Test> {
    let seeds = SEEDS;
    let test = |seed| {
        let plan = draw::plan(seed);
        let whose = format!("seed {seed}");
        test(format!("random: {whose}: {plan}"), whose, plan)
    };
    seeds.map(test).collect()
}
