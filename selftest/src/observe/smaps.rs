// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/smaps`: page table walks by VMA.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};

use crate::sys::read_text;

/// The sums over the VMAs that touch some ranges, in KiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Smaps {
    /// How many VMAs touch them.
    pub vmas: usize,
    fields: BTreeMap<String, u64>,
}

impl Smaps {
    /// A field, as `Anonymous`, `Swap` or `AnonHugePages`.
    pub fn kb(&self, field: &str) -> u64 {
        self.fields.get(field).copied().unwrap_or(0)
    }

    /// All fields that are numbers.
    pub fn fields(&self) -> impl Iterator<Item = (&str, u64)> {
        self.fields.iter().map(|(name, kb)| (name.as_str(), *kb))
    }
}

/// Sums up the VMAs of `pid` that touch one of the ranges: addresses and lengths.
pub fn read(pid: i32, ranges: &[(u64, u64)]) -> io::Result<Smaps> {
    let beyond = ranges.iter().map(|(at, len)| at + len).max().unwrap_or(0);
    // What lies beyond the ranges is not asked for: to count it takes the kernel time.
    let file = File::open(format!("/proc/{pid}/smaps"))?;
    let mut sum = Smaps::default();
    let mut inside = false;
    for line in BufReader::with_capacity(16 << 10, file).lines() {
        let line = line?;
        let mut words = line.split_whitespace();
        let Some(first) = words.next() else { continue };
        if let Some((from, to)) = range(first) {
            if from >= beyond {
                break;
            }
            inside = ranges.iter().any(|(at, len)| from < at + len && to > *at);
            sum.vmas += usize::from(inside);
        } else if let (true, Some(name)) = (inside, first.strip_suffix(':')) {
            if let Some(Ok(kb)) = words.next().map(str::parse::<u64>) {
                *sum.fields.entry(name.to_string()).or_default() += kb;
            }
        }
    }
    Ok(sum)
}

/// A mapping of a process.
#[derive(Clone, Copy, Debug)]
pub struct Vma {
    /// Its first byte.
    pub start: u64,
    /// The byte after its last.
    pub end: u64,
    /// It may be written to.
    pub writable: bool,
}

/// All mappings of `pid`.
pub fn vmas(pid: i32) -> io::Result<Vec<Vma>> {
    let text = read_text(format!("/proc/{pid}/maps"))?;
    let vma = |line: &str| {
        let mut words = line.split(' ');
        let (start, end) = range(words.next()?)?;
        let writable = words.next()?.contains('w');
        Some(Vma {
            start,
            end,
            writable,
        })
    };
    Ok(text.lines().filter_map(vma).collect())
}

/// The address range of the mapping that `/proc/PID/maps` calls `name`, as `[vdso]`.
pub fn named(pid: i32, name: &str) -> io::Result<Option<(u64, u64)>> {
    let text = read_text(format!("/proc/{pid}/maps"))?;
    let line = text.lines().find(|l| l.ends_with(name));
    Ok(line
        .and_then(|l| l.split_whitespace().next())
        .and_then(range))
}

fn range(word: &str) -> Option<(u64, u64)> {
    let (from, to) = word.split_once('-')?;
    Some((
        u64::from_str_radix(from, 16).ok()?,
        u64::from_str_radix(to, 16).ok()?,
    ))
}
