// SPDX-License-Identifier: GPL-2.0

//! Races with the reclaim of live mode, instead of requests.

use std::io;

use super::board::Board;
use super::driver::Tally;
use super::plan::Plan;
use crate::sys;
use crate::trigger;

/// What live mode has counted since.
pub(super) struct Reclaim {
    taken: u64,
    large: u64,
}

impl Reclaim {
    pub(super) fn begin() -> io::Result<Self> {
        let stats = trigger::stats()?;
        let lengths = stats.iter().filter_map(|(key, value)| {
            let length: u64 = key.strip_prefix("batch_len_")?.parse().ok()?;
            (length > 1).then(|| value.parse::<u64>().ok())?
        });
        Ok(Reclaim {
            taken: stats.number("live_taken").unwrap_or(0),
            large: lengths.sum(),
        })
    }

    /// Calls that it took.
    pub(super) fn taken(&self) -> io::Result<u64> {
        Ok(Self::begin()?.taken - self.taken)
    }

    /// Waits until enough batches were longer than one, without any request.
    pub(super) fn until(&self, plan: &Plan, board: &Board) -> io::Result<Tally> {
        let mut tally = Tally::default();
        let tries = Plan::MOST * plan.large;
        while !tally.missing(plan).is_empty() && board.begun.get() < tries && !board.is_bad() {
            sys::give_way();
            tally.large = Self::begin()?.large - self.large;
            tally.raced = board.together.get();
        }
        Ok(tally)
    }
}
