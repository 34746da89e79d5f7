// SPDX-License-Identifier: GPL-2.0

//! What the racing processes tell each other, in memory that all of them share.

use super::op::Op;
use super::plan::Plan;
use super::written::Written;
use crate::count::{Count, Counters};
use crate::verdict::Checks;

/// The most pages that can be raced for.
pub const MAX_PAGES: usize = 512;
/// How many things that are wrong are kept with all that is known of them.
const KEPT: usize = 8;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Wrong {
    /// The owner of a page found something else than it had written last.
    LostWrite = 1,
    /// Another thread found what was written earlier than what it could see before, or is not
    /// written yet, or does not belong there.
    StaleRead,
    /// A child found what the memory never held, or did not hold any more at the fork.
    ChildNotSnapshot,
    /// What a child found changed, though nobody but the child can write to its memory.
    ChildSnapshotChanged,
    /// A child lost what it had written itself.
    ChildLostWrite,
    /// A system call failed: the number of the error.
    CallFailed,
    /// A child did not end well: the status that it ended with.
    ChildEnded,
}

impl Wrong {
    const ALL: [Wrong; 7] = [
        Wrong::LostWrite,
        Wrong::StaleRead,
        Wrong::ChildNotSnapshot,
        Wrong::ChildSnapshotChanged,
        Wrong::ChildLostWrite,
        Wrong::CallFailed,
        Wrong::ChildEnded,
    ];
}

#[repr(C)]
struct Record {
    what: Count,
    page: Count,
    k: Count,
    found: Count,
    expected: Count,
}

/// All of it.
#[repr(C)]
pub struct Board {
    /// Not 0: end.
    pub stop: Count,
    /// Requests that have begun.
    pub requests: Count,
    /// Those of them that are under way.
    pub under_way: Count,
    /// Rounds that the owners have made.
    pub rounds: Count,
    /// Those of them before the last request ended.
    pub rounds_before: Count,
    /// Words that were compared with what they must be.
    pub compared: Count,
    /// Racing operations that have begun.
    pub begun: Count,
    /// Those of them that have ended.
    pub ended: Count,
    /// Those of them that were not alone.
    pub together: Count,
    /// Those of each kind that did what they are for.
    pub done: [Count; Op::KINDS],
    /// How often a large folio shall be made anew.
    pub renew: Count,
    /// How often that was done.
    pub renewed: Count,
    /// How often large folios shall be split.
    pub split: Count,
    /// How often that was tried.
    pub tried_to_split: Count,
    /// Pages that were freed lazily, and were dropped.
    pub dropped: Count,
    /// Those that were not, for somebody wrote to them in time.
    pub redeemed: Count,
    /// How often swap was turned off or on.
    pub switches: Count,
    /// How often swap was turned off under a request, and had something in it.
    pub switched: Count,
    /// Not 0: the process is about to exit.
    pub exiting: Count,
    wrong: Count,
    records: [Record; KEPT],
    /// What was written to each page.
    pub pages: [Written; MAX_PAGES],
}

// SAFETY: It is made of counters and atomic integers only.
unsafe impl Counters for Board {}

impl Board {
    /// Notes that something is wrong with word `k` of a page.
    pub fn wrong(&self, what: Wrong, (page, k): (usize, usize), (found, expected): (u64, u64)) {
        let number = self.wrong.next();
        if let Some(record) = self.records.get(number as usize) {
            record.page.set(page as u64);
            record.k.set(k as u64);
            record.found.set(found);
            record.expected.set(expected);
            record.what.set(what as u64);
        }
    }

    /// What was done, for a person.
    pub fn said(&self, plan: &Plan) -> String {
        let done = |op: &Op| format!(", {} {op:?}", self.done[*op as usize].get());
        let mut done: String = plan.ops.iter().map(done).collect();
        if plan.dropped > 0 {
            let (dropped, redeemed) = (self.dropped.get(), self.redeemed.get());
            done += &format!("; {dropped} pages dropped, {redeemed} redeemed");
        }
        if plan.switched > 0 {
            done += &format!("; swap off {} times", self.switched.get());
        }
        format!(
            "{} rounds of the threads, {} MiB compared, {} times a new folio{done}",
            self.rounds.get(),
            self.compared.get() >> 17,
            self.renewed.get(),
        )
    }

    /// What the plan wants to see here and has not seen yet.
    pub fn missing(&self, plan: &Plan) -> Vec<String> {
        let done = |op: &Op| (format!("{op:?}"), self.done[*op as usize].get(), plan.each);
        let one = |what: &str, count: &Count, least| (what.to_string(), count.get(), least);
        let others = [
            one("a page dropped", &self.dropped, plan.dropped),
            one("a page redeemed", &self.redeemed, plan.redeemed),
            one("swap turned off", &self.switched, plan.switched),
        ];
        let all = plan.ops.iter().map(done).chain(others);
        let few = all.filter(|(_, times, least)| times < least);
        few.map(|(what, times, least)| format!("{what}: only {times} times, not {least}"))
            .collect()
    }

    /// Notes that a system call failed.
    pub fn call_failed(&self, error: &std::io::Error) {
        let errno = error.raw_os_error().unwrap_or(0);
        self.wrong(Wrong::CallFailed, (0, 0), (errno as u64, 0));
    }

    /// Whether anything is wrong.
    pub fn is_bad(&self) -> bool {
        self.wrong.get() != 0
    }

    /// Checks that nothing is wrong.
    pub fn check(&self, checks: &mut Checks) {
        let all = self.wrong.get();
        checks.that(all == 0, || format!("{all} things are wrong; the first:"));
        for record in &self.records {
            let what = record.what.get();
            let Some(what) = Wrong::ALL.iter().find(|w| **w as u64 == what) else {
                continue;
            };
            checks.that(false, || {
                format!(
                    "{what:?}: page {} word {}: {:#x}, expected {:#x}",
                    record.page.get(),
                    record.k.get(),
                    record.found.get(),
                    record.expected.get()
                )
            });
        }
    }
}
