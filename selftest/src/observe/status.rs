// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/status`: the memory counters of a process.
//!
//! The kernel sums its per-CPU counters for this file, so RssAnon and VmSwap are exact. VmHWM is
//! not: the high-water mark is taken from the unsummed counters (`update_hiwater_rss()`).

use std::io;

use crate::sys::read_text;

/// Memory counters, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// High-water mark of the resident set.
    pub vm_hwm: u64,
    /// The resident set.
    pub vm_rss: u64,
    /// Its anonymous part.
    pub rss_anon: u64,
    /// Swap entries.
    pub vm_swap: u64,
    /// Locked memory.
    pub vm_lck: u64,
    /// Pinned memory.
    pub vm_pin: u64,
    /// Page tables.
    pub vm_pte: u64,
}

/// Reads the counters of `pid`.
pub fn read(pid: i32) -> io::Result<Status> {
    let text = read_text(format!("/proc/{pid}/status"))?;
    let mut status = Status::default();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let place = match words.next() {
            Some("VmHWM:") => &mut status.vm_hwm,
            Some("VmRSS:") => &mut status.vm_rss,
            Some("RssAnon:") => &mut status.rss_anon,
            Some("VmSwap:") => &mut status.vm_swap,
            Some("VmLck:") => &mut status.vm_lck,
            Some("VmPin:") => &mut status.vm_pin,
            Some("VmPTE:") => &mut status.vm_pte,
            _ => continue,
        };
        *place = words.next().and_then(|w| w.parse().ok()).unwrap_or(0);
    }
    Ok(status)
}
