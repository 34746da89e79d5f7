// SPDX-License-Identifier: GPL-2.0

//! Folios shared by fork: one request unmaps them from all processes.

use super::course::{compare, Plan, Via};
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::{self, bytes, Mapping};
use crate::subject::Family;
use crate::trigger::Path;

/// A few orders x 2, 3 and 8 processes.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let offered = mthp::orders();
    let pmd = mthp::pmd_order();
    for order in [0, 2, 4, pmd] {
        if !offered.contains(&order) {
            continue;
        }
        for processes in [2, 3, 8] {
            for reclaim in [false, true] {
                add(&mut tests, order, Mapping::Pte, processes, reclaim);
                if order == pmd {
                    add(&mut tests, order, Mapping::Pmd, processes, reclaim);
                }
            }
        }
    }
    tests
}

fn add(tests: &mut Vec<Test>, order: u32, mapping: Mapping, processes: usize, reclaim: bool) {
    let name = format!(
        "fork: {} kB by {mapping:?} in {processes} processes, reclaim={}",
        bytes(1 << order) / 1024,
        u8::from(reclaim)
    );
    tests.push(Test::new(name, move |checks| {
        let family = Family::new(2 * processes)?;
        let plan = |via| Plan {
            via,
            reclaim,
            offset: 0,
        };
        let plans = Path::BOTH.map(Via::Module).map(plan);
        compare(checks, &plans, &|| {
            shape::forked(&family, order, mapping, processes)
        })
    }));
}
