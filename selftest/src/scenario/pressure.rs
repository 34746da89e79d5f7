// SPDX-License-Identifier: GPL-2.0

//! Reclaim of many folios at once, with live mode off and on.

use crate::live;
use crate::pressure::{self, Plan};
use crate::runner::Test;
use crate::shape::whole;

/// A few seconds each.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for on in [false, true] {
        let name = format!("pressure: three times the limit, live={}", u8::from(on));
        tests.push(Test::new(name, move |checks| {
            whole::must_be_swapped(2)?;
            live::set(on)?;
            let plan = Plan {
                seconds: 3,
                limit: 32 << 20,
                live: on,
                ..Plan::default()
            };
            let done = pressure::run(checks, &plan, None, &mut |_| ());
            live::set(false)?;
            done
        }));
    }
    tests
}
