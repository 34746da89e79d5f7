// SPDX-License-Identifier: GPL-2.0

//! Races with the reclaim of live mode.

use std::io;

use crate::trigger;

/// What live mode and requests have counted.
pub(super) struct Reclaim {
    /// Calls that live mode took.
    pub taken: u64,
    /// Large folios that these calls left without any mapping.
    pub folios: u64,
    /// Batches longer than one, of calls and requests.
    pub large: u64,
}

impl Reclaim {
    pub fn begin() -> io::Result<Self> {
        let stats = trigger::stats()?;
        let lengths = stats.iter().filter_map(|(key, value)| {
            let length: u64 = key.strip_prefix("batch_len_")?.parse().ok()?;
            (length > 1).then(|| value.parse::<u64>().ok())?
        });
        Ok(Reclaim {
            taken: stats.number("live_taken").unwrap_or(0),
            folios: stats.number("live_folios").unwrap_or(0),
            large: lengths.sum(),
        })
    }

    /// The same, from the beginning on.
    pub fn since(&self) -> io::Result<Self> {
        let now = Self::begin()?;
        Ok(Reclaim {
            taken: now.taken - self.taken,
            folios: now.folios - self.folios,
            large: now.large - self.large,
        })
    }
}
