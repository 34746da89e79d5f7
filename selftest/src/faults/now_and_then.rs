// SPDX-License-Identifier: GPL-2.0

//! Failures at all places of the module, each seldom.

use std::fmt;
use std::io;

use super::{of_module, Fault};
use crate::knobs;
use crate::verdict::Stop;

/// More failures than there will ever be.
const PLENTY: u64 = 1_000_000_000;

/// How often each place fails: one in so many calls is looked at, and fails with a probability of
/// so many percent. Large folios see much of what is asked once a page.
const PLACES: [(&str, i64, i64); 15] = [
    // Only requests come here.
    ("fail_mmap_lock", 1, 5),
    ("fail_folio_walk", 20, 5),
    ("fail_folio_isolate", 1, 5),
    ("fail_folio_trylock", 1, 5),
    ("fail_folio_changed", 1, 5),
    ("fail_folio_writeback", 1, 5),
    ("fail_alloc_swap", 1, 5),
    // Live reclaim comes here as well.
    ("fail_rmap_walk", 1, 2),
    ("fail_vma_walk", 1, 2),
    ("fail_share_anon_rmap", 1, 5),
    ("fail_swap_count", 50, 2),
    ("fail_swap_dup", 5, 2),
    ("fail_lazyfree_dirty", 1, 20),
    ("fail_lazyfree_references", 1, 20),
    ("fail_inconsistent", 1, 1),
];

/// Failures now and then, at every place that can fail. None fails any more when this is dropped.
pub struct NowAndThen(Vec<(&'static str, Fault)>);

impl NowAndThen {
    /// From now on.
    ///
    /// # Errors
    ///
    /// A skip where the kernel injects no faults; a failure if the module has places that are not
    /// known here, or lacks some that are.
    pub fn new() -> Result<Self, Stop> {
        let mut faults = Vec::new();
        for (name, interval, percent) in PLACES {
            let fault = Fault::of_module(name)?;
            fault.arm(0, PLENTY as i64, percent)?;
            fault.set("interval", interval)?;
            faults.push((name, fault));
        }
        // The others only make calls slow.
        let mut places = of_module()?;
        places.retain(|name| name.starts_with("fail_") && !PLACES.iter().any(|(p, ..)| p == name));
        match places.is_empty() {
            true => Ok(NowAndThen(faults)),
            false => Err(Stop::Fail(format!("places that never fail: {places:?}"))),
        }
    }

    /// How many calls have failed so far, at which place.
    pub fn count(&self) -> io::Result<Injected> {
        let mut injected = Vec::new();
        for (name, fault) in &self.0 {
            let left = knobs::read(fault.dir.join("times"))?;
            let failed = PLENTY - left.parse().unwrap_or(PLENTY);
            injected.push((*name, failed));
        }
        Ok(Injected(injected))
    }
}

/// How many calls have failed because they were told to.
pub struct Injected(Vec<(&'static str, u64)>);

impl Injected {
    /// At all places together.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|(_, failed)| failed).sum()
    }
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failures injected:", self.total())?;
        self.0
            .iter()
            .try_for_each(|(name, failed)| write!(f, " {name} {failed}"))
    }
}
