// SPDX-License-Identifier: GPL-2.0

//! What the module has to count.

use crate::live::Since;
use crate::scenario::course::Via;
use crate::sys::errno_name;
use crate::trigger::{Answer, Path};
use crate::verdict::{Checks, Stop};

/// Of one folio.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// VMAs that were visited.
    pub visits: u64,
    /// Entries that do not map it any more.
    pub unmapped: u64,
    /// Batches of them.
    pub batches: u64,
    /// Runs that were committed.
    pub runs: u64,
    /// Entries that were put back.
    pub restored: u64,
    /// Why it is still mapped, as the totals name it.
    pub failure: Option<&'static str>,
}

impl Counts {
    /// Of a folio of so many pages that is dropped, in so many processes.
    pub fn dropped(pages: usize, processes: usize) -> Self {
        Counts {
            visits: processes as u64,
            unmapped: (pages * processes) as u64,
            batches: processes as u64,
            runs: processes as u64,
            ..Counts::default()
        }
    }

    /// Holds the answer to a request, or the totals since, against it.
    ///
    /// The kernel's own path counts no batches, and without live mode its reclaim nothing at all.
    pub fn check(
        &self,
        checks: &mut Checks,
        via: Via,
        answer: Option<&Answer>,
        since: &Since,
    ) -> Result<(), Stop> {
        let failed = u64::from(self.failure.is_some());
        let batched = u64::from(via != Via::Module(Path::Kernel));
        let counts = [
            ("unmapped", self.unmapped),
            ("failed", failed),
            ("batches", batched * self.batches),
            ("runs", batched * self.runs),
            ("restored", batched * self.restored),
        ];
        if let Some(answer) = answer {
            let errno = if failed == 0 { "ok" } else { "EBUSY" };
            checks.eq("errno", errno_name(answer.errno), errno.into());
            for (key, want) in counts {
                let number = answer.report.number(key);
                checks.eq(&format!("report {key}"), number, Some(want));
            }
            return Ok(());
        }
        let live = u64::from(via == Via::Live);
        since.check(checks, &counts.map(|(key, want)| (key, live * want)))?;
        if let Some(reason) = self.failure {
            since.check(checks, &[(reason, live)])?;
        }
        since.check(
            checks,
            &[
                ("live_taken", live * self.visits),
                ("live_folios", live * (1 - failed)),
                ("live_passed_small", 0),
            ],
        )
    }
}
