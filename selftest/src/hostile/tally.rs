// SPDX-License-Identifier: GPL-2.0

//! What all processes together have asked, and how they were answered.

use std::io;

use super::worker::KINDS;
use super::{PROCESSES, THREADS};
use crate::count::{self, Count, Counters};
use crate::sys::errno_name;
use crate::trigger::{Path, Report};

/// The answers that have a column of their own; the last is for all others.
const ANSWERS: [i32; 12] = [
    0,
    libc::EINVAL,
    libc::ESRCH,
    libc::ENOENT,
    libc::EOPNOTSUPP,
    libc::EBUSY,
    libc::ENOSPC,
    libc::EFAULT,
    libc::EBADF,
    libc::ENOTTY,
    libc::ENODEV,
    -1,
];

/// Threads that ask.
const SLOTS: usize = (PROCESSES * THREADS) as usize;

/// The sums.
#[repr(C)]
pub struct Tally {
    /// The number of the next request.
    pub next: Count,
    /// Requests that were judged.
    pub done: Count,
    /// Those that were not answered as they must.
    pub failed: Count,
    /// Well-formed requests that were carried out.
    pub carried: Count,
    /// Those of which nobody knows: their process was killed.
    pub unsure: Count,
    /// Bytes that victims compared with what they must be.
    pub compared: Count,
    /// Bytes of them that were something else.
    pub lost: Count,
    /// How often a victim had some of its memory reclaimed.
    pub given_up: Count,
    /// Page table entries that successful requests have unmapped, where their reports were looked
    /// at: by the kernel's path, and batched.
    pub unmapped: [Count; 2],
    /// How often live mode was switched.
    pub switched: Count,
    /// Not 0: end.
    pub stop: Count,
    /// Processes that got the pid of one that had just ended.
    pub reused: Count,
    /// Requests during which the process they name was killed, was gone, or got a successor.
    pub met: Count,
    /// Processes that were killed before their request was answered.
    pub unanswered: Count,
    /// What the processes that a worker lets die have begun, and what of that was answered.
    by_slot: [[Count; 2]; SLOTS],
    by_kind: [[Count; ANSWERS.len()]; KINDS.len()],
}

// SAFETY: It is made of counters only.
unsafe impl Counters for Tally {}

impl Tally {
    /// A tally for this process and those that it forks.
    pub fn shared() -> io::Result<&'static Tally> {
        count::shared()
    }

    /// What the processes that a worker lets die have begun, and what of that was answered.
    pub fn of_slot(&self, slot: i32) -> (&Count, &Count) {
        let [begun, answered] = &self.by_slot[slot as usize];
        (begun, answered)
    }

    /// Notes the report of a request that had to unmap something.
    pub fn note_unmapped(&self, report: &Report) {
        for (path, count) in Path::BOTH.iter().zip(&self.unmapped) {
            if report.get("path") == Some(&path.to_string()) {
                count.add(report.number("unmapped").unwrap_or(0));
            }
        }
    }

    /// Notes the answer to a request of a kind.
    pub fn note(&self, kind: usize, errno: i32) {
        let column = ANSWERS.iter().position(|a| *a == errno);
        self.by_kind[kind][column.unwrap_or(ANSWERS.len() - 1)].add(1);
        self.done.add(1);
    }

    /// One line a kind, with its answers.
    pub fn lines(&self) -> Vec<String> {
        let line = |(kind, row): (&(&str, _, _), &[Count; ANSWERS.len()])| {
            let total: u64 = row.iter().map(Count::get).sum();
            let mut line = format!("{:24} {total:8}:", kind.0);
            for (answer, n) in ANSWERS.iter().zip(row).filter(|(_, n)| n.get() > 0) {
                let name = match answer {
                    -1 => "other".into(),
                    errno => errno_name(*errno),
                };
                line.push_str(&format!(" {name} {}", n.get()));
            }
            line
        };
        KINDS.iter().zip(&self.by_kind).map(line).collect()
    }
}
