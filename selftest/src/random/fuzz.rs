// SPDX-License-Identifier: GPL-2.0

//! Judges new plans until the time is up.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use super::plan::Plan;
use super::{draw, test};
use crate::ktap::Outcome;
use crate::runner::Session;
use crate::subject::compared;

/// How often it says how far it is.
const PERIOD: Duration = Duration::from_secs(10);

/// How many plans ended how.
#[derive(Default)]
pub struct Totals {
    /// Both paths did the same, and right.
    pub passed: usize,
    /// They did not.
    pub failed: usize,
    /// Not to be carried out here.
    pub skipped: usize,
}

impl Totals {
    fn judge(&mut self, session: &Session, name: &str, plan: Plan) {
        let text = plan.to_string();
        let (outcome, lines) = session.judge(&test(name, name.into(), plan));
        match outcome {
            Outcome::Ok => self.passed += 1,
            Outcome::Skip(why) => {
                self.skipped += 1;
                println!("skip {name}: {text}: {why}");
            }
            Outcome::NotOk => {
                self.failed += 1;
                println!("FAIL {name}: {text}");
                lines.iter().for_each(|line| println!("     {line}"));
            }
        }
    }

    fn begin() -> Self {
        if let Err(e) = compared::begin() {
            println!("# bytes are not counted: {e}");
        }
        Totals::default()
    }

    /// The last word, which is of the totals alone.
    fn end(self) -> Self {
        println!("plans: {} KiB compared", compared::bytes() >> 10);
        self.say("");
        self
    }

    fn say(&self, word: &str) {
        println!(
            "{word}{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
        let _ = io::stdout().flush();
    }
}

/// Judges one plan.
pub fn one(plan: Plan) -> Totals {
    let mut totals = Totals::begin();
    totals.judge(&Session::begin(), "PLAN", plan);
    totals.end()
}

/// Judges the plans of `seed` and those that follow, at least one.
pub fn many(seed: u64, limit: Duration) -> Totals {
    let session = Session::begin();
    let begun = Instant::now();
    let mut said = begun;
    let mut totals = Totals::begin();
    for seed in seed.. {
        totals.judge(&session, &format!("seed {seed}"), draw::plan(seed));
        if begun.elapsed() >= limit {
            break;
        }
        if said.elapsed() >= PERIOD {
            said = Instant::now();
            totals.say(&format!("seed {seed}, {} s: ", begun.elapsed().as_secs()));
        }
    }
    totals.end()
}
