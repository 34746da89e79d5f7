// SPDX-License-Identifier: GPL-2.0

//! By which code a test had folios unmapped, as the module's totals tell.

use std::fmt;

use crate::trigger::{self, Report};

/// Requests with `path=kernel`, all others, and calls that live mode took.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Paths {
    kernel: u64,
    batched: u64,
    live: u64,
}

impl Paths {
    /// Since the module was loaded; nothing where it is not.
    pub fn look() -> Self {
        trigger::stats().map_or(Paths::default(), |totals| Paths::of(&totals))
    }

    fn of(totals: &Report) -> Self {
        let number = |key| totals.number(key).unwrap_or(0);
        let kernel = number("requests_kernel");
        Paths {
            kernel,
            batched: number("requests").saturating_sub(kernel),
            live: number("live_taken"),
        }
    }

    /// What has come since; all that there is if the module was loaded anew.
    pub fn since(self, then: Self) -> Self {
        let moved = |now: u64, then: u64| now.checked_sub(then).unwrap_or(now);
        Paths {
            kernel: moved(self.kernel, then.kernel),
            batched: moved(self.batched, then.batched),
            live: moved(self.live, then.live),
        }
    }
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Paths {
            kernel,
            batched,
            live,
        } = self;
        write!(f, "kernel={kernel} batched={batched} live={live}")
    }
}
