// SPDX-License-Identifier: GPL-2.0

//! What came of the requests.

use std::collections::BTreeMap;

use super::plan::Plan;
use crate::sys::errno_name;
use crate::trigger::{Report, Request};
use crate::verdict::Checks;

/// What came of the requests.
#[derive(Clone, Default)]
pub struct Tally {
    /// How many were made.
    pub requests: u64,
    /// Batched requests that took several page table entries in one go.
    pub large: u64,
    /// Large folios that were unmapped, all of each, in such batches.
    pub whole: u64,
    /// Batches during which the process did something to the memory.
    pub raced: u64,
    /// Batched requests that put entries back.
    pub restored: u64,
    /// Requests that began while another was under way.
    pub met: u64,
    /// Those of them that found the folio in the hands of the other.
    pub refused: u64,
    /// Calls that live mode took.
    pub taken: u64,
    /// By errno.
    pub ends: BTreeMap<i32, u64>,
    /// Reports that do not belong to their request, or contradict it.
    pub odd: Vec<String>,
}

/// What was going on while a request was made.
#[derive(Clone, Copy)]
pub struct Meanwhile {
    /// The process did something to the memory.
    pub raced: bool,
    /// Another request was under way when it began.
    pub met: bool,
}

impl Tally {
    /// Adds a request, and says whether several page table entries were taken in one go.
    pub fn count(
        &mut self,
        request: &Request,
        (errno, report): (i32, &Report),
        meanwhile: Meanwhile,
    ) -> bool {
        self.requests += 1;
        *self.ends.entry(errno).or_default() += 1;
        self.met += u64::from(meanwhile.met);
        self.refused += u64::from(meanwhile.met && errno == libc::EBUSY);
        let number = |key| report.number(key).unwrap_or(0);
        let (batches, unmapped, restored) =
            (number("batches"), number("unmapped"), number("restored"));
        let large = batches > 0 && unmapped + restored > batches;
        if large {
            self.large += 1;
            self.whole += u64::from(errno == 0 && unmapped > batches);
            self.raced += u64::from(meanwhile.raced);
            self.restored += u64::from(restored > 0);
        }
        for (key, want) in [
            ("pid", request.pid.to_string()),
            ("address", format!("{:#x}", request.address)),
            ("path", request.path.to_string()),
            ("reclaim", u8::from(request.reclaim).to_string()),
            ("result", errno_name(errno)),
        ] {
            if report.get(key) != Some(&want) {
                let odd = format!("{request}: report says {key} {:?}", report.get(key));
                self.odd.push(odd);
            }
        }
        large
    }

    /// What the plan wants to see and has not seen yet.
    pub fn missing(&self, plan: &Plan) -> Vec<String> {
        let few = [
            (self.large, plan.large, "batches of a large folio"),
            (self.whole, plan.whole, "large folios unmapped"),
            (self.raced, plan.raced, "batches that met a race"),
            (self.restored, plan.restored, "requests put entries back"),
            (self.met, plan.met, "requests began during another"),
            (self.refused, plan.refused, "requests refused for another"),
            (self.ended(0), plan.triggers.min(1), "requests succeeded"),
        ];
        let few = few.into_iter().filter(|(is, least, _)| is < least);
        few.map(|(is, least, what)| format!("only {is} {what}, not {least}"))
            .collect()
    }

    /// How often this errno came.
    pub fn ended(&self, errno: i32) -> u64 {
        self.ends.get(&errno).copied().unwrap_or(0)
    }

    /// All of it, for a person.
    pub fn said(&self) -> String {
        let one = |(errno, n): (&i32, &u64)| format!("{n} {}", errno_name(*errno));
        let ends: Vec<_> = self.ends.iter().map(one).collect();
        format!(
            "{} requests ({}), {} of them during another ({} refused for it); \
             {} batches of a large folio, {} raced, {} put back; {} large folios unmapped",
            self.requests,
            ends.join(", "),
            self.met,
            self.refused,
            self.large,
            self.raced,
            self.restored,
            self.whole,
        )
    }

    /// Checks that all answers are of those that the plan allows, and true to their requests.
    pub fn check(&self, checks: &mut Checks, plan: &Plan) {
        let documented = [0, libc::EBUSY, libc::ENOENT];
        for errno in self.ends.keys() {
            let fits = documented.contains(errno) || plan.errnos.contains(errno);
            checks.that(fits, || format!("a request failed: {}", errno_name(*errno)));
        }
        for odd in &self.odd {
            checks.that(false, || odd.clone());
        }
    }
}
