// SPDX-License-Identifier: GPL-2.0

//! KTAP output, as in Documentation/dev-tools/ktap.rst.

use std::io::{self, Write};

/// How one test ended.
pub enum Outcome {
    /// All checks held.
    Ok,
    /// A check did not hold, or the test died.
    NotOk,
    /// It could not be run here, for this reason.
    Skip(String),
}

/// Prints results and counts them.
pub struct Ktap {
    number: usize,
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Ktap {
    /// Prints the version line and the plan.
    pub fn begin(plan: usize) -> Self {
        println!("KTAP version 1");
        println!("1..{plan}");
        Ktap {
            number: 0,
            passed: 0,
            failed: 0,
            skipped: 0,
        }
    }

    /// Prints the result of the next test, with its diagnostics.
    pub fn result(&mut self, name: &str, outcome: Outcome, diagnostics: &[String]) {
        self.number += 1;
        let number = self.number;
        match outcome {
            Outcome::Ok => {
                self.passed += 1;
                println!("ok {number} {name}");
            }
            Outcome::NotOk => {
                self.failed += 1;
                println!("not ok {number} {name}");
            }
            Outcome::Skip(reason) => {
                self.skipped += 1;
                println!("ok {number} {name} # SKIP {reason}");
            }
        }
        for line in diagnostics {
            println!("# {line}");
        }
        // A guest that dies in the next test must not take this line with it.
        let _ = io::stdout().flush();
    }

    /// Prints the totals; true if nothing failed.
    pub fn end(self) -> bool {
        println!(
            "# Totals: pass:{} fail:{} xfail:0 xpass:0 skip:{} error:0",
            self.passed, self.failed, self.skipped
        );
        self.failed == 0
    }
}
