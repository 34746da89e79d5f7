// SPDX-License-Identifier: GPL-2.0

//! Folios of one process, wholly mapped, of every order that the kernel offers.

use super::course::{compare, Plan, Via};
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::{self, bytes, Mapping};
use crate::subject::Family;
use crate::trigger::Path;

const GROUP: &str = "exclusive";

/// Every order, left in the swap cache or written out; for some the request points elsewhere.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for order in mthp::orders() {
        add_both(&mut tests, GROUP, (order, Mapping::Pte));
        if order == pmd {
            add_both(&mut tests, GROUP, (order, Mapping::Pmd));
        }
    }
    for (order, mapping) in shape::few_sizes() {
        let len = bytes(1 << order);
        for (place, offset) in [("first", 0), ("last", len - 1)] {
            let shape = (order, mapping);
            add(&mut tests, GROUP, shape, false, (place, offset));
        }
    }
    tests
}

/// A few of them, for another swap device.
pub fn few() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for shape in [(0, Mapping::Pte), (4, Mapping::Pte), (pmd, Mapping::Pmd)] {
        add_both(&mut tests, "zram", shape);
    }
    tests
}

fn add_both(tests: &mut Vec<Test>, group: &str, shape: (u32, Mapping)) {
    let middle = bytes(1 << shape.0) / 2 + 8;
    for reclaim in [false, true] {
        add(tests, group, shape, reclaim, ("middle", middle));
    }
}

/// One shape, unmapped by all who can: a request for the byte at `offset`.
fn add(
    tests: &mut Vec<Test>,
    group: &str,
    (order, mapping): (u32, Mapping),
    reclaim: bool,
    (place, offset): (&str, u64),
) {
    let name = format!(
        "{group}: {} kB by {mapping:?}, reclaim={}, address in the {place} page",
        bytes(1 << order) / 1024,
        u8::from(reclaim)
    );
    tests.push(Test::new(name, move |checks| {
        let plan = |via| Plan {
            via,
            reclaim,
            offset,
        };
        let mut plans: Vec<Plan> = Path::BOTH.map(Via::Module).map(plan).into();
        if reclaim {
            // What the kernel does by itself is the third witness.
            plans.push(plan(Via::Pageout));
        }
        let family = Family::new(plans.len())?;
        compare(checks, &plans, &|| {
            shape::exclusive(&family, order, mapping)
        })
    }));
}
