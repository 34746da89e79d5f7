// SPDX-License-Identifier: GPL-2.0

//! What races, and when enough of it was seen.

use std::io;

use super::op::Op;
use crate::observe::vmstat;

/// What races, and how much of it has to be seen.
#[derive(Clone)]
pub struct Plan {
    /// Pages of the memory: those of one folio.
    pub pages: usize,
    /// What the threads do to it.
    pub ops: &'static [Op],
    /// Writes of a thread to a page before its next one.
    pub writes: u64,
    /// How many make requests at the same time; without any, live mode has to be on.
    pub triggers: u64,
    /// Live mode is on.
    pub live: bool,
    /// Whether a large folio is to be made anew where a small one was met.
    pub renew: bool,
    /// Whether a large folio that was met is to be split: threads that are quick to take it back
    /// leave nothing to collapse.
    pub split: bool,
    /// How many times a batch has to be longer than one.
    pub large: u64,
    /// How many of these have to meet an operation; without requests, operations one another.
    pub raced: u64,
    /// How many requests have to put entries back that they had taken.
    pub restored: u64,
    /// An event of /proc/vmstat that has to be counted, and how often.
    pub event: Option<(&'static str, i64)>,
    /// With which errnos requests may fail, besides EBUSY and ENOENT.
    pub errnos: &'static [i32],
}

impl Plan {
    /// A plan is hopeless after so many times the requests that it takes at best, not counting
    /// those that found nothing to unmap: nothing mapped, or what `errnos` is for.
    pub(super) const MOST: u64 = 100;
}

/// Looks for the event of a plan.
pub(super) struct Watch {
    event: Option<(&'static str, i64)>,
    since: i64,
}

impl Watch {
    pub(super) fn begin(plan: &Plan) -> io::Result<Self> {
        let since = plan.event.map_or(Ok(0), |(name, _)| vmstat::summed(name));
        Ok(Watch {
            event: plan.event,
            since: since?,
        })
    }

    /// How often it was counted.
    pub(super) fn moved(&self) -> io::Result<i64> {
        let now = self.event.map_or(Ok(0), |(name, _)| vmstat::summed(name));
        Ok(now? - self.since)
    }

    /// Whether it was counted often enough.
    pub(super) fn seen(&self) -> io::Result<bool> {
        Ok(match self.event {
            Some((_, least)) => self.moved()? >= least,
            None => true,
        })
    }
}
