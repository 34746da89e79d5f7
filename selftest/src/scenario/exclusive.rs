// SPDX-License-Identifier: GPL-2.0

//! Folios of one process, wholly mapped, of every order that the kernel offers.

use super::course::{compare, Plan, Via};
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::{self, bytes, Mapping};
use crate::subject::Family;
use crate::trigger::Path;

/// Every order x who writes it out x where the address in the request points.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for order in mthp::orders() {
        add(&mut tests, order, Mapping::Pte);
        if order == mthp::pmd_order() {
            add(&mut tests, order, Mapping::Pmd);
        }
    }
    tests
}

fn add(tests: &mut Vec<Test>, order: u32, mapping: Mapping) {
    let len = bytes(1 << order);
    let places = [
        ("first byte", 0),
        ("middle", len / 2 + 8),
        ("last byte", len - 1),
    ];
    for reclaim in [false, true] {
        for (place, offset) in places {
            let name = format!(
                "exclusive: {} kB by {mapping:?}, reclaim={}, address at {place}",
                len / 1024,
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
    }
}
