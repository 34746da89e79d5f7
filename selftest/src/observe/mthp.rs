// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/mm/transparent_hugepage/hugepages-*kB`: the sizes of anonymous folios that this
//! kernel knows, and its counters of each.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::sys::page_size;

const THP: &str = "/sys/kernel/mm/transparent_hugepage";

/// The counters that only the tests themselves move in an otherwise idle guest.
pub const WATCHED: [&str; 8] = [
    "nr_anon",
    "nr_anon_partially_mapped",
    "split",
    "split_failed",
    "split_deferred",
    "swpin",
    "swpout",
    "swpout_fallback",
];

fn folder(size_kb: usize) -> PathBuf {
    format!("{THP}/hugepages-{size_kb}kB").into()
}

/// The setting that lets anonymous folios of this size be made.
pub fn enabled_path(size_kb: usize) -> PathBuf {
    folder(size_kb).join("enabled")
}

/// The sizes of large anonymous folios that this kernel offers, in KiB, smallest first.
pub fn sizes() -> Vec<usize> {
    let names = fs::read_dir(THP).into_iter().flatten().flatten();
    let mut sizes: Vec<usize> = names
        .filter_map(|e| e.file_name().into_string().ok())
        .filter_map(|n| {
            let kb = n.strip_prefix("hugepages-")?.strip_suffix("kB")?;
            kb.parse().ok()
        })
        .filter(|kb| enabled_path(*kb).exists())
        .collect();
    sizes.sort_unstable();
    sizes
}

/// The orders of anonymous folios: 0, and those the kernel offers.
pub fn orders() -> Vec<u32> {
    let base_kb = page_size() / 1024;
    let mut orders = vec![0];
    orders.extend(
        sizes()
            .into_iter()
            .map(|kb| (kb / base_kb).trailing_zeros()),
    );
    orders
}

/// The order of a folio that one PMD entry maps.
pub fn pmd_order() -> u32 {
    let size = fs::read_to_string(format!("{THP}/hpage_pmd_size")).ok();
    let size: usize = size.and_then(|s| s.trim().parse().ok()).unwrap_or(2 << 20);
    (size / page_size()).trailing_zeros()
}

/// Reads the watched counters of all sizes, as `64kB/swpout`.
pub fn read() -> BTreeMap<String, u64> {
    let mut all = BTreeMap::new();
    for size in sizes() {
        for name in WATCHED {
            let text = fs::read_to_string(folder(size).join("stats").join(name));
            if let Some(value) = text.ok().and_then(|t| t.trim().parse().ok()) {
                all.insert(format!("{size}kB/{name}"), value);
            }
        }
    }
    all
}
