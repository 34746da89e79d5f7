// SPDX-License-Identifier: GPL-2.0

//! Hostile requests from seeds that stay the same, and people who may not ask; `make hostile` makes
//! many more requests.

mod people;

use crate::hostile::{self, Plan};
use crate::runner::Test;
use crate::sys;

/// As many as take half a minute or so.
const REQUESTS: u64 = 7000;

/// All of them.
pub fn tests() -> Vec<Test> {
    let lives = [
        ("live mode off", Some(false)),
        ("live mode on", Some(true)),
        ("live mode switched", None),
    ];
    let mut tests = people::tests();
    tests.extend((1..).zip(lives).map(requests));
    tests
}

fn requests((seed, (name, live)): (u64, (&'static str, Option<bool>))) -> Test {
    let requests = sys::repeats(REQUESTS);
    let name = format!("hostile: {requests} requests from seed {seed}, {name}");
    Test::new(name, move |checks| {
        let plan = Plan {
            seed,
            first: 0,
            requests,
            live,
        };
        let mut said = Vec::new();
        let judged = hostile::run(checks, &plan, &mut |line| said.push(line))?;
        said.into_iter().for_each(|line| checks.note(line));
        checks.eq("requests judged", judged.done, requests);
        Ok(())
    })
}
