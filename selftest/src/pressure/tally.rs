// SPDX-License-Identifier: GPL-2.0

//! Counters that all processes share.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::Shared;

/// A counter.
#[repr(transparent)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// What all workers have done, and whether they shall end.
#[repr(C)]
pub struct Tally {
    /// Bytes compared with what they must be.
    pub checked: Count,
    /// Bytes that were something else.
    pub lost: Count,
    /// Children that looked at their copy of the memory, changed it, and ended well.
    pub forks: Count,
    /// Not 0: end.
    pub stop: Count,
}

impl Tally {
    /// A tally for this process and those that it forks.
    pub fn shared() -> io::Result<&'static Tally> {
        let shared = Box::leak(Box::new(Shared::new(size_of::<Tally>())?));
        // SAFETY: The memory is a page, mapped for good, zero, and used for this only; atomics may
        // be shared.
        Ok(unsafe { &*(shared.address() as *const Tally) })
    }
}
