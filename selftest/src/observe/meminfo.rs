// SPDX-License-Identifier: GPL-2.0

//! `/proc/meminfo`: how much memory is used for what.

use std::fs;
use std::io;

/// Reads the KiB of some of its lines, such as `MemFree`.
pub fn read<const N: usize>(keys: [&str; N]) -> io::Result<[u64; N]> {
    let text = fs::read_to_string("/proc/meminfo")?;
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
