// SPDX-License-Identifier: GPL-2.0

//! `/proc/meminfo` and `/proc/zoneinfo`: how much memory is used for what.

use std::io;

use crate::sys::{page_size, read_text};

/// Reads the KiB of some of its lines, such as `MemFree`.
pub fn read<const N: usize>(keys: [&str; N]) -> io::Result<[u64; N]> {
    let text = read_text("/proc/meminfo")?;
    let kb = |key: &str| {
        let rest = text.lines().find_map(|l| l.strip_prefix(key));
        let number = rest.and_then(|r| r.strip_prefix(':')?.split_whitespace().next());
        number.and_then(|n| n.parse().ok())
    };
    let mut found = [0; N];
    for (place, key) in found.iter_mut().zip(keys) {
        *place = kb(key).ok_or_else(|| io::Error::other(format!("/proc/meminfo: no {key}")))?;
    }
    Ok(found)
}

/// The KiB of free pages that CPUs keep in lists of their own, in all zones: tens of MiB after much
/// was freed, and MemFree does not count them.
pub fn free_by_cpu_kb() -> io::Result<u64> {
    let text = read_text("/proc/zoneinfo")?;
    let counts = text.lines().filter_map(|l| l.trim().strip_prefix("count:"));
    let counts: Vec<u64> = counts.filter_map(|n| n.trim().parse().ok()).collect();
    match counts.is_empty() {
        true => Err(io::Error::other("/proc/zoneinfo: no lists of CPUs")),
        false => Ok(counts.iter().sum::<u64>() * page_size() as u64 / 1024),
    }
}
