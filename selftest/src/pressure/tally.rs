// SPDX-License-Identifier: GPL-2.0

//! What all processes together have done.

use std::io;

use crate::count::{self, Count, Counters};

/// What all workers have done, and whether they shall end.
#[repr(C)]
pub struct Tally {
    /// Threads that have all their memory.
    pub ready: Count,
    /// Bytes compared with what they must be.
    pub checked: Count,
    /// Bytes that were something else.
    pub lost: Count,
    /// Children that looked at their copy of the memory, changed it, and ended well.
    pub forks: Count,
    /// Requests that were answered, well or not.
    pub requests: Count,
    /// Pages that the kernel had dropped, as it was allowed to.
    pub dropped: Count,
    /// Not 0: end.
    pub stop: Count,
}

// SAFETY: It is made of counters only.
unsafe impl Counters for Tally {}

impl Tally {
    /// A tally for this process and those that it forks.
    pub fn shared() -> io::Result<&'static Tally> {
        count::shared()
    }
}
