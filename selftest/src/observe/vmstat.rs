// SPDX-License-Identifier: GPL-2.0

//! `/proc/vmstat`: the system's event counters.

use std::collections::BTreeMap;
use std::fs;
use std::io;

use crate::sys::{page_size, read_text};

/// The counters that only the tests themselves move in an otherwise idle guest.
pub const WATCHED: [&str; 19] = [
    "pswpin",
    "pswpout",
    "swpin_zero",
    "swpout_zero",
    "thp_swpout",
    "thp_swpout_fallback",
    "thp_split_page",
    "thp_split_page_failed",
    "thp_split_pmd",
    "thp_deferred_split_page",
    "thp_fault_alloc",
    "pglazyfree",
    "pglazyfreed",
    "unevictable_pgs_culled",
    "unevictable_pgs_rescued",
    "unevictable_pgs_mlocked",
    "unevictable_pgs_munlocked",
    "unevictable_pgs_cleared",
    "unevictable_pgs_stranded",
];

/// Reads the watched counters.
pub fn read() -> io::Result<BTreeMap<String, u64>> {
    let text = read_text("/proc/vmstat")?;
    Ok(text
        .lines()
        .filter_map(|l| l.split_once(' '))
        .filter(|(name, _)| WATCHED.contains(name))
        .filter_map(|(name, value)| Some((name.to_string(), value.trim().parse().ok()?)))
        .collect())
}

/// Reads one counter after all CPUs have handed in their share of it.
pub fn summed(name: &str) -> io::Result<i64> {
    fs::write("/proc/sys/vm/stat_refresh", "1")?;
    let text = read_text("/proc/vmstat")?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or("").parse().map_err(io::Error::other)
}

/// How many KiB of what is in swap the swap cache has as well. In /proc/meminfo that lacks what the
/// CPUs have not handed in.
pub fn swap_cached_kb() -> io::Result<u64> {
    let pages = summed("nr_swapcached")?;
    Ok(pages.max(0) as u64 * (page_size() / 1024) as u64)
}
