// SPDX-License-Identifier: GPL-2.0

//! What happened to a request.

use super::{
    reason::Reason,
    request::{
        Path,
        Request, //
    },
};
use crate::target::Outcome;
use kernel::fmt;

/// The account of one request; what it prints is what reading `unmap` gives.
#[derive(Clone, Copy)]
pub(crate) struct Report {
    request: Request,
    /// Folios that were tried.
    pub(super) folios: usize,
    /// Pages that they have.
    pub(super) pages: usize,
    /// Page table entries that do not map them any more, of all processes.
    pub(super) unmapped: usize,
    /// Folios that are not completely unmapped.
    pub(super) failed: usize,
    /// Runs of page table entries that were taken in one go.
    pub(super) batches: usize,
    /// Parts of equal exclusivity that they were committed in.
    pub(super) runs: usize,
    /// Page table entries that were cleared and put back.
    pub(super) restored: usize,
    /// Pages that were freed.
    pub(super) reclaimed: usize,
    /// Nanoseconds inside `try_to_unmap()`.
    unmap_ns: i64,
    /// The first failure.
    failure: Option<Reason>,
}

impl Report {
    /// Begins the account of a request.
    pub(super) fn new(request: Request) -> Self {
        Self {
            request,
            folios: 0,
            pages: 0,
            unmapped: 0,
            failed: 0,
            batches: 0,
            runs: 0,
            restored: 0,
            reclaimed: 0,
            unmap_ns: 0,
            failure: None,
        }
    }

    /// Adds what became of a folio.
    pub(super) fn add(&mut self, outcome: &Outcome) {
        self.folios += 1;
        self.pages += outcome.pages;
        self.unmapped += outcome.unmapped;
        self.batches += outcome.tally.batches as usize;
        self.runs += outcome.tally.runs as usize;
        self.restored += outcome.tally.restored as usize;
        self.reclaimed += outcome.reclaimed;
        self.unmap_ns += outcome.unmap_ns;
        if let Some(reason) = outcome.failure {
            self.failed += 1;
            self.fail(reason);
        }
    }

    /// Notes a failure; the first one is the request's result.
    pub(super) fn fail(&mut self, reason: Reason) {
        self.failure.get_or_insert(reason);
    }

    /// Returns why the request failed, if it did.
    pub(super) fn failure(&self) -> Option<Reason> {
        self.failure
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match self.request.path {
            Path::Batched => "batched",
            Path::Kernel => "kernel",
        };
        writeln!(f, "pid {}", self.request.pid)?;
        writeln!(f, "address {:#x}", self.request.address)?;
        writeln!(f, "length {}", self.request.length)?;
        writeln!(f, "path {path}")?;
        writeln!(f, "reclaim {}", u8::from(self.request.reclaim))?;
        writeln!(f, "folios {}", self.folios)?;
        writeln!(f, "pages {}", self.pages)?;
        writeln!(f, "unmapped {}", self.unmapped)?;
        writeln!(f, "failed {}", self.failed)?;
        writeln!(f, "batches {}", self.batches)?;
        writeln!(f, "runs {}", self.runs)?;
        writeln!(f, "restored {}", self.restored)?;
        writeln!(f, "reclaimed {}", self.reclaimed)?;
        writeln!(f, "unmap_ns {}", self.unmap_ns)?;
        writeln!(
            f,
            "result {}",
            self.failure.map_or("ok", Reason::errno_name)
        )
    }
}
