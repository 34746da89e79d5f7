// SPDX-License-Identifier: GPL-2.0

//! `/proc/vmstat`: the system's event counters.

use std::collections::BTreeMap;
use std::fs;
use std::io;

/// The counters that only the tests themselves move in an otherwise idle guest.
pub const WATCHED: [&str; 5] = [
    "pswpin",
    "pswpout",
    "thp_swpout",
    "thp_swpout_fallback",
    "thp_split_page",
];

/// Reads the watched counters.
pub fn read() -> io::Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string("/proc/vmstat")?;
    Ok(text
        .lines()
        .filter_map(|l| l.split_once(' '))
        .filter(|(name, _)| WATCHED.contains(name))
        .filter_map(|(name, value)| Some((name.to_string(), value.trim().parse().ok()?)))
        .collect())
}
