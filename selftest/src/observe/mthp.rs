// SPDX-License-Identifier: GPL-2.0

//! `/sys/kernel/mm/transparent_hugepage/hugepages-*kB`: the sizes of anonymous folios that this
//! kernel knows, and its counters of each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::OnceLock;

use crate::sys::{page_size, read_text};

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
pub fn sizes() -> &'static [usize] {
    static SIZES: OnceLock<Vec<usize>> = OnceLock::new();
    SIZES.get_or_init(find_sizes)
}

fn find_sizes() -> Vec<usize> {
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
    orders.extend(sizes().iter().map(|kb| (kb / base_kb).trailing_zeros()));
    orders
}

/// The order of a folio that one PMD entry maps.
pub fn pmd_order() -> u32 {
    static ORDER: OnceLock<u32> = OnceLock::new();
    *ORDER.get_or_init(|| {
        let size = read_text(format!("{THP}/hpage_pmd_size")).ok();
        let size: usize = size.and_then(|s| s.trim().parse().ok()).unwrap_or(2 << 20);
        (size / page_size()).trailing_zeros()
    })
}

/// The files of the watched counters, opened once: a look at the system reads them all.
static FILES: OnceLock<Vec<(String, File)>> = OnceLock::new();

fn files() -> Vec<(String, File)> {
    let mut files = Vec::new();
    for size in sizes() {
        for name in WATCHED {
            if let Ok(file) = File::open(folder(*size).join("stats").join(name)) {
                files.push((format!("{size}kB/{name}"), file));
            }
        }
    }
    files
}

/// Opens the files of the counters, so that processes forked later need not.
pub fn open() {
    FILES.get_or_init(files);
}

/// The sum over all sizes of one of the watched counters.
pub fn sum(name: &str) -> io::Result<u64> {
    let files = FILES.get_or_init(files).iter();
    let of_name = files.filter(|(key, _)| key.split_once('/').is_some_and(|k| k.1 == name));
    of_name.map(|(_, file)| value(file)).sum()
}

/// Reads the watched counters of all sizes, as `64kB/swpout`.
pub fn read() -> io::Result<BTreeMap<String, u64>> {
    let mut all = BTreeMap::new();
    for (name, file) in FILES.get_or_init(files) {
        all.insert(name.clone(), value(file)?);
    }
    Ok(all)
}

fn value(file: &File) -> io::Result<u64> {
    let mut text = [0; 32];
    let n = file.read_at(&mut text, 0)?;
    let text = String::from_utf8_lossy(&text[..n]);
    text.trim().parse().map_err(io::Error::other)
}
