// SPDX-License-Identifier: GPL-2.0

//! What the racing processes tell each other, in memory that all of them share.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use super::op::Op;
use crate::count::{Count, Counters};
use crate::verdict::Checks;

/// The most pages that can be raced for.
pub const MAX_PAGES: usize = 512;
/// How many things that are wrong are kept with all that is known of them.
const KEPT: usize = 8;

/// What has been written to a page.
#[repr(C)]
pub struct Written {
    writes: AtomicU64,
    void: AtomicU64,
}

impl Written {
    /// How many writes have been made.
    pub fn writes(&self) -> u64 {
        self.writes.load(Acquire)
    }

    /// How many of them are void, for the page was given back since: zeroes took their place.
    pub fn void(&self) -> u64 {
        self.void.load(Relaxed)
    }

    /// Notes a write that has been made.
    pub fn made(&self, write: u64) {
        self.writes.store(write, Release);
    }

    /// Notes that the page was given back.
    pub fn given_back(&self) {
        self.void.store(self.writes(), Relaxed);
    }
}

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
    /// Requests that have begun and that have ended, together: odd while one is under way.
    pub requests: Count,
    /// Rounds that the owners have made.
    pub rounds: Count,
    /// Words that were compared with what they must be.
    pub compared: Count,
    /// Racing operations that have begun.
    pub begun: Count,
    /// Those of them that have ended.
    pub ended: Count,
    /// Those of them that were not alone.
    pub together: Count,
    /// Those of each kind that did what they are for.
    pub done: [Count; 11],
    /// How often a large folio shall be made anew.
    pub renew: Count,
    /// How often that was done.
    pub renewed: Count,
    /// How often large folios shall be split.
    pub split: Count,
    /// How often that was tried.
    pub tried_to_split: Count,
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

    /// Those of the operations that did not do what they are for, not once.
    pub fn never_worked<'a>(&'a self, ops: &'a [Op]) -> impl Iterator<Item = &'a Op> {
        ops.iter().filter(|op| self.done[**op as usize].get() == 0)
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
