// SPDX-License-Identifier: GPL-2.0

//! Plans drawn from seeds that stay the same, and some that are written here; `make fuzz` draws others.

use crate::random::{draw, test};
use crate::runner::Test;
use crate::sys;

/// As many as take less than a minute.
const SEEDS: u64 = 40;

/// What the two paths have differed in, or easily could.
const PLANS: [&str; 8] = [
    // A batch of lazily freed entries comes back, and a page in it was not written since.
    "order 4 pte alone, free 0 0-16, write 0 1-2, clear-soft-dirty 0, unmap 0 0-1",
    // One contpte block of two is taken apart: that ends a batch.
    "order 5 pte alone, free 0 0-32, ro 0 0-4, rw 0 0-4, write 0 20-21, unmap 0 0-1",
    "order 5 pte wide, free 0 0-32, ro 0 18-20, rw 0 18-20, write 0 3-4, reclaim 0 0-1",
    "order 4 pte alone, free 0 0-16, ro 0 2-7, dontneed 0 9-11, unmap 0 0-1",
    "order 4 pte near, free 0 0-16, fork 0, write 1 3-4, unmap 0 0-1, unmap 1 3-4",
    "order 4 pte alone, free 0 0-16, pin 0 3-4, unmap 0 0-1, unpin 0, unmap 0 0-1",
    "order 4 pte alone, free 0 0-16, move-across 0 0-16, lock 0 0-3, unmap 0 4-5",
    "order 4 pte alone, free 0 0-16, wp 0 0-8, pipe 0 2-3, unmap 0 0-1, drain 0, reclaim 0 0-1",
];

/// One test a plan, and one a seed.
pub fn tests() -> Vec<Test> {
    let written = |text: &str| {
        let plan = text.parse().expect("a plan");
        test(format!("random: {text}"), "random".to_string(), plan)
    };
    let test = |seed| {
        let plan = draw::plan(seed);
        let whose = format!("seed {seed}");
        test(format!("random: {whose}: {plan}"), whose, plan)
    };
    let drawn = (0..sys::repeats(SEEDS)).map(test);
    PLANS.into_iter().map(written).chain(drawn).collect()
}
