// SPDX-License-Identifier: GPL-2.0

//! `/proc/swaps`: the swap areas and how much of them is used.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;

use crate::sys::{page_size, read_text};

/// One swap area.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// The device.
    pub path: String,
    /// Its size without the header.
    pub size_kb: u64,
    /// How much of it is used.
    pub used_kb: u64,
}

/// The swap areas in use.
pub fn areas() -> io::Result<Vec<Area>> {
    let text = read_text("/proc/swaps")?;
    let area = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some(Area {
            path: words.first()?.to_string(),
            size_kb: words.get(2)?.parse().ok()?,
            used_kb: words.get(3)?.parse().ok()?,
        })
    };
    Ok(text.lines().skip(1).filter_map(area).collect())
}

/// The swap in use, in KiB.
pub fn used_kb() -> io::Result<u64> {
    Ok(areas()?.iter().map(|a| a.used_kb).sum())
}

/// Writes the header of an area of `size_kb` (as `/proc/swaps` counts it), as mkswap(8) does.
pub fn make(path: &str, size_kb: u64) -> io::Result<()> {
    let page = page_size();
    let mut header = vec![0; page];
    let last_page = (size_kb as usize * 1024 / page) as u32;
    header[1024..1028].copy_from_slice(&1u32.to_ne_bytes());
    header[1028..1032].copy_from_slice(&last_page.to_ne_bytes());
    header[page - 10..].copy_from_slice(b"SWAPSPACE2");
    let device = OpenOptions::new().write(true).open(path)?;
    device.write_all_at(&header, 0)?;
    device.sync_all()
}
