// SPDX-License-Identifier: GPL-2.0

//! Plans drawn from seeds that stay the same; `make fuzz` draws others.

use crate::random::{draw, test};
use crate::runner::Test;
use crate::sys;

/// As many as take less than a minute.
const SEEDS: u64 = 40;

/// One test a seed.
pub fn tests() -> Vec<Test> {
    let test = |seed| {
        let plan = draw::plan(seed);
        let whose = format!("seed {seed}");
        test(format!("random: {whose}: {plan}"), whose, plan)
    };
    (0..sys::repeats(SEEDS)).map(test).collect()
}
