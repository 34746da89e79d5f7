// SPDX-License-Identifier: GPL-2.0

//! What races, and when enough of it was seen.

use super::op::Op;
use crate::sys;

/// What races, and how much of it has to be seen.
#[derive(Clone)]
pub struct Plan {
    /// Pages of the memory: those of one folio.
    pub pages: usize,
    /// What the threads do to it.
    pub ops: &'static [Op],
    /// In one of so many rounds a thread does: a large folio must last a while.
    pub rarely: usize,
    /// Writes of a thread to a page before its next one.
    pub writes: u64,
    /// How many make requests at the same time; without any, live mode has to be on.
    pub triggers: u64,
    /// Whether every second request has the folio written to swap and freed.
    pub reclaim: bool,
    /// Live mode is on.
    pub live: bool,
    /// Whether a large folio is to be made anew where a small one was met.
    pub renew: bool,
    /// Whether a large folio that was met is to be split: threads that are quick to take it back
    /// leave nothing to collapse.
    pub split: bool,
    /// How many times a batch has to be longer than one.
    pub large: u64,
    /// How many large folios have to be unmapped, all of each, in such batches.
    pub whole: u64,
    /// How many batches have to meet an operation; without requests, operations one another.
    pub raced: u64,
    /// How many requests have to begin while another one is under way.
    pub met: u64,
    /// How many of these have to find the folio in the hands of the other.
    pub refused: u64,
    /// How often each operation has to work.
    pub each: u64,
    /// How many requests have to put entries back that they had taken.
    pub restored: u64,
    /// How many pages that were freed lazily have to be dropped.
    pub dropped: u64,
    /// How many of them have to be kept, for somebody writes to them in time.
    pub redeemed: u64,
    /// How often swap has to be turned off under requests, when it has something in it.
    pub switched: u64,
    /// An event of /proc/vmstat that has to be counted, and how often.
    pub event: Option<(&'static str, i64)>,
    /// With which errnos requests may fail, besides EBUSY and ENOENT.
    pub errnos: &'static [i32],
}

/// A plan is hopeless after so many requests, not counting those that found nothing to unmap:
/// nothing mapped, or what the plan's `errnos` are for. Most plans take some hundreds.
pub(super) fn hopeless() -> u64 {
    sys::repeats(10_000)
}
