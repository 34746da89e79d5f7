// SPDX-License-Identifier: GPL-2.0

//! The places in the path that can fail, but for those of lazily freed folios.

use crate::faults::Fault;
use crate::shape::stopped::At;
use crate::verdict::Stop;

/// A place that fails: its name, what must be seen, the reason that is counted, and whether slots
/// are counted page by page, as after each failure of `fail_swap_count`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) at: fn(u64) -> At,
    pub(super) reason: &'static str,
    pub(super) by_page: bool,
}

impl Place {
    /// What the tests call it.
    pub(super) fn title(&self) -> String {
        match (self.by_page, (self.at)(0)) {
            (true, At::Share(_)) => format!("{}, slots counted page by page", self.name),
            _ => self.name.into(),
        }
    }

    /// Has slots counted page by page, if the place wants it.
    pub(super) fn count_by_page(&self) -> Result<Option<Fault>, Stop> {
        if !self.by_page {
            return Ok(None);
        }
        let fault = Fault::of_module("fail_swap_count")?;
        fault.all_after(0)?;
        Ok(Some(fault))
    }
}

/// All of them.
pub(super) const PLACES: [Place; 6] = [
    Place {
        name: "fail_share_anon_rmap",
        at: At::Share,
        reason: "failed_pinned",
        by_page: false,
    },
    Place {
        name: "fail_share_anon_rmap",
        at: At::Share,
        reason: "failed_pinned",
        by_page: true,
    },
    Place {
        name: "fail_swap_dup",
        at: At::SwapDup,
        reason: "failed_swap_count",
        by_page: true,
    },
    Place {
        name: "fail_swap_count",
        at: At::SwapCount,
        reason: "failed_swap_count",
        by_page: false,
    },
    Place {
        name: "fail_inconsistent",
        at: At::Batch,
        reason: "failed_still_mapped",
        by_page: false,
    },
    Place {
        name: "fail_vma_walk",
        at: At::Walk,
        reason: "failed_still_mapped",
        by_page: false,
    },
];
