// SPDX-License-Identifier: GPL-2.0

//! `/proc/kpageflags` and `/proc/kpagecount`: the state and the map count of page frames.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Flags of include/uapi/linux/kernel-page-flags.h.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flags(pub u64);

impl Flags {
    const NAMES: [(u32, &'static str); 21] = [
        (0, "locked"),
        (3, "uptodate"),
        (4, "dirty"),
        (5, "lru"),
        (8, "writeback"),
        (9, "reclaim"),
        (10, "buddy"),
        (11, "mmap"),
        (12, "anon"),
        (13, "swapcache"),
        (14, "swapbacked"),
        (15, "head"),
        (16, "tail"),
        (17, "huge"),
        (18, "unevictable"),
        (19, "hwpoison"),
        (21, "ksm"),
        (22, "thp"),
        (24, "zero"),
        (33, "mlocked"),
        (34, "exclusive"),
    ];

    /// Whether the flag of this name is set.
    pub fn has(self, name: &str) -> bool {
        Self::NAMES
            .iter()
            .any(|(bit, n)| *n == name && self.0 & (1 << bit) != 0)
    }

    /// The names of the flags that are set. `referenced` and `active` are left out: they say how
    /// the folio was used, and depend on timing.
    ///
    /// `exclusive` is `PageAnonExclusive` of the folio's first page: kpageflags shows the folio's
    /// own flag word for each of its pages.
    pub fn names(self) -> String {
        let set = Self::NAMES
            .iter()
            .filter(|(bit, _)| self.0 & (1 << bit) != 0);
        set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    }
}

fn read(path: &str, pfn: u64, pages: usize) -> io::Result<Vec<u64>> {
    let mut raw = vec![0; pages * 8];
    File::open(path)?.read_exact_at(&mut raw, pfn * 8)?;
    Ok(raw
        .chunks_exact(8)
        .map(|c| u64::from_ne_bytes(c.try_into().unwrap_or_default()))
        .collect())
}

/// The flags of `pages` page frames from `pfn` on.
pub fn flags(pfn: u64, pages: usize) -> io::Result<Vec<Flags>> {
    Ok(read("/proc/kpageflags", pfn, pages)?
        .into_iter()
        .map(Flags)
        .collect())
}

/// How often each of `pages` page frames from `pfn` on is mapped.
pub fn counts(pfn: u64, pages: usize) -> io::Result<Vec<u64>> {
    read("/proc/kpagecount", pfn, pages)
}
