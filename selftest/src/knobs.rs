// SPDX-License-Identifier: GPL-2.0

//! System-wide settings that the tests change, and that must be as before when they end.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::live::LIVE;
use crate::observe::meminfo;
use crate::observe::mthp;
use crate::observe::swaps;
use crate::sys;

const THP: &str = "/sys/kernel/mm/transparent_hugepage";
/// What keeps the kernel's own threads from the tests' memory.
///
/// DAMON samples pages and clears their accessed bits; khugepaged takes a page table away for a
/// moment to look whether it can collapse it. A fault that is under way then finds another entry
/// than it began with, and is repeated: it counts twice. khugepaged still wakes up once for the
/// first process that it is told of, so it is given little to look at.
const QUIET: [(&str, &str); 3] = [
    ("/sys/module/damon_stat/parameters/enabled", "N"),
    (
        "/sys/kernel/mm/transparent_hugepage/khugepaged/pages_to_scan",
        "1",
    ),
    (
        "/sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs",
        "3600000",
    ),
];
const KSM: &str = "/sys/kernel/mm/ksm";
/// How long swap may take to be emptied.
const PATIENCE: Duration = Duration::from_secs(60);
const MIN_FREE: &str = "/proc/sys/vm/min_free_kbytes";
const NR_HUGEPAGES: &str = "/proc/sys/vm/nr_hugepages";

/// Reads a setting; of a choice like `always [madvise] never`, the chosen word.
pub fn read(path: impl AsRef<Path>) -> io::Result<String> {
    let text = sys::read_text(path)?;
    let chosen = text.split(['[', ']']).nth(1);
    Ok(chosen.unwrap_or(text.trim()).to_string())
}

/// Writes a setting.
pub fn write(path: impl AsRef<Path>, value: &str) -> io::Result<()> {
    let path = path.as_ref();
    fs::write(path, value).map_err(|e| io::Error::new(e.kind(), format!("{}: {e}", path.display())))
}

/// The kernel's own threads leave the tests' memory alone while this lives.
pub struct Quiet {
    was: Vec<(&'static str, String)>,
}

impl Quiet {
    /// Quiets those that this kernel has.
    pub fn new() -> io::Result<Self> {
        let mut quiet = Quiet { was: Vec::new() };
        for (path, value) in QUIET
            .into_iter()
            .filter(|(path, _)| Path::new(path).exists())
        {
            quiet.was.push((path, read(path)?));
            write(path, value)?;
        }
        Ok(quiet)
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        for (path, value) in &self.was {
            if let Err(e) = write(path, value) {
                eprintln!("setting not restored: {e}");
            }
        }
    }
}

/// The settings that tests may change, with the values found at the start.
pub struct Saved {
    values: Vec<(PathBuf, String)>,
    swaps: Vec<swaps::Area>,
}

impl Saved {
    /// Notes all settings as they are now.
    pub fn save() -> Self {
        let mut paths: Vec<PathBuf> = vec![
            format!("{THP}/enabled").into(),
            NR_HUGEPAGES.into(),
            LIVE.into(),
        ];
        for name in ["run", "pages_to_scan", "sleep_millisecs", "smart_scan"] {
            paths.push(format!("{KSM}/{name}").into());
        }
        for name in ["pages_to_scan", "scan_sleep_millisecs", "max_ptes_swap"] {
            paths.push(format!("{THP}/khugepaged/{name}").into());
        }
        paths.extend(mthp::sizes().iter().map(|kb| mthp::enabled_path(*kb)));
        let values = paths
            .into_iter()
            .filter_map(|p| read(&p).ok().map(|v| (p, v)))
            .collect();
        Saved {
            values,
            swaps: swaps::areas().unwrap_or_default(),
        }
    }

    /// Puts back what differs; the lines tell what could not be put back.
    pub fn restore(&self) -> Vec<String> {
        let mut left = Vec::new();
        for (path, value) in &self.values {
            if read(path).ok().as_ref() != Some(value) {
                if let Err(e) = write(path, value) {
                    left.push(format!("setting not restored: {e}"));
                }
            }
        }
        self.restore_swaps(&mut left);
        left
    }

    fn restore_swaps(&self, left: &mut Vec<String>) {
        let now = swaps::areas().unwrap_or_default();
        for area in &self.swaps {
            let same = |a: &&swaps::Area| a.path == area.path;
            if now
                .iter()
                .find(same)
                .is_some_and(|a| a.size_kb == area.size_kb)
            {
                continue;
            }
            let back = match now.iter().any(|a| a.path == area.path) {
                true => sys::swapoff(&area.path),
                false => Ok(()),
            };
            let back = back
                .and_then(|()| swaps::make(&area.path, area.size_kb))
                .and_then(|()| sys::swapon(&area.path));
            if let Err(e) = back {
                left.push(format!("swap {} not restored: {e}", area.path));
            }
        }
    }
}

/// Free memory is below what kswapd keeps free, while this lives; who allocates gets it all the same.
pub struct BusyKswapd(String);

impl BusyKswapd {
    /// Wakes kswapd, which goes on until it has reclaimed all that it can.
    pub fn new() -> io::Result<Self> {
        let was = BusyKswapd(read(MIN_FREE)?);
        let [free] = meminfo::read(["MemFree"])?;
        // kswapd wakes up when less is free than five quarters of it.
        write(MIN_FREE, &(free * 9 / 10).to_string())?;
        Ok(was)
    }
}

impl Drop for BusyKswapd {
    fn drop(&mut self) {
        if let Err(e) = write(MIN_FREE, &self.0) {
            eprintln!("setting not restored: {e}");
        }
    }
}

/// Takes back all that is in swap: swaps off and on again.
///
/// A slot that is in use by nobody makes that fail: swapoff would look for its user for ever.
pub fn empty_swap() -> io::Result<()> {
    for area in swaps::areas()? {
        sys::swapoff_within(&area.path, PATIENCE)?;
        sys::swapon(&area.path)?;
    }
    Ok(())
}

/// Lets only folios of `size_kb` be made, and only where `MADV_HUGEPAGE` asks for them.
///
/// With `None` no large folio is made at all.
pub fn only_folios_of(size_kb: Option<usize>) -> io::Result<()> {
    // The top level decides nothing when every size has its own word.
    for size in mthp::sizes() {
        let word = match Some(*size) == size_kb {
            true => "madvise",
            false => "never",
        };
        let path = mthp::enabled_path(*size);
        if read(&path)? != word {
            write(path, word)?;
        }
    }
    Ok(())
}

/// Has khugepaged scan without a pause, and collapse whatever it finds, in swap or not.
pub fn busy_khugepaged() -> io::Result<()> {
    let most = (1 << mthp::pmd_order()) - 1;
    for (name, value) in [
        ("max_ptes_swap", most.to_string()),
        ("pages_to_scan", "4096".into()),
        ("scan_sleep_millisecs", "0".into()),
    ] {
        write(format!("{THP}/khugepaged/{name}"), &value)?;
    }
    Ok(())
}

/// Has KSM scan without a pause.
pub fn busy_ksm() -> io::Result<()> {
    for (name, value) in [
        ("smart_scan", "0"),
        ("pages_to_scan", "1000"),
        ("sleep_millisecs", "0"),
        ("run", "1"),
    ] {
        write(format!("{KSM}/{name}"), value)?;
    }
    Ok(())
}
