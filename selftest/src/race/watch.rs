// SPDX-License-Identifier: GPL-2.0

//! Whether enough of what races was seen.

use std::io;

use super::board::Board;
use super::plan::{self, Plan};
use super::reclaim::Reclaim;
use super::tally::Tally;
use crate::observe::vmstat;

/// Looks for what a plan wants to see.
pub(super) struct Watch<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// What the racing processes say.
    pub board: &'static Board,
    reclaim: Reclaim,
    since: i64,
}

impl<'a> Watch<'a> {
    pub fn begin(plan: &'a Plan, board: &'static Board) -> io::Result<Self> {
        Ok(Watch {
            plan,
            board,
            reclaim: Reclaim::begin()?,
            since: event(plan)?,
        })
    }

    /// How often the plan's event was counted.
    pub fn moved(&self) -> io::Result<i64> {
        Ok(event(self.plan)? - self.since)
    }

    /// What came of the requests, and of live mode if it is on.
    pub fn with_live(&self, requests: &Tally) -> io::Result<Tally> {
        let mut tally = requests.clone();
        if self.plan.live {
            let live = self.reclaim.since()?;
            tally.taken = live.taken;
            // Those of the requests are among them.
            tally.large = live.large;
            tally.whole += live.folios;
        }
        if self.plan.triggers == 0 {
            tally.raced = self.board.together.get();
        }
        Ok(tally)
    }

    /// What the plan wants to see and has not seen yet.
    pub fn missing(&self, tally: &Tally) -> io::Result<Vec<String>> {
        let mut missing: Vec<_> = tally.missing(self.plan);
        missing.extend(self.board.missing(self.plan));
        if let (Some((name, least)), true) = (self.plan.event, missing.is_empty()) {
            let moved = self.moved()?;
            if moved < least {
                missing.push(format!("{name} only moved by {moved}"));
            }
        }
        Ok(missing)
    }

    /// Waits until enough was seen, without any request.
    pub fn wait(&self) -> io::Result<Tally> {
        loop {
            let tally = self.with_live(&Tally::default())?;
            let hopeless = self.board.begun.get() >= plan::hopeless() || self.board.is_bad();
            if hopeless || self.missing(&tally)?.is_empty() {
                return Ok(tally);
            }
            crate::sys::give_way();
        }
    }
}

fn event(plan: &Plan) -> io::Result<i64> {
    plan.event.map_or(Ok(0), |(name, _)| vmstat::summed(name))
}
