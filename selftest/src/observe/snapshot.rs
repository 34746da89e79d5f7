// SPDX-License-Identifier: GPL-2.0

//! One look at everything: the processes that map a folio, its page frames, and the system.

use std::collections::BTreeMap;
use std::io;

use super::kpage::{self, Flags};
use super::pagemap::{self, Entry};
use super::smaps::{self, Smaps};
use super::status::{self, Status};
use super::{mthp, swaps, vmstat};
use crate::sys::page_size;

/// What one process shows of some of its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The pagemap entries, in the order of the ranges.
    pub pages: Vec<Entry>,
    /// The memory counters of the process.
    pub status: Status,
    /// The sums over the VMAs that touch the ranges.
    pub smaps: Smaps,
}

/// What the system shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct System {
    /// Swap in use.
    pub swap_used_kb: u64,
    /// Event counters of /proc/vmstat, and of each folio size.
    pub events: BTreeMap<String, u64>,
}

impl System {
    /// Looks at the system.
    pub fn take() -> io::Result<Self> {
        let mut events = vmstat::read()?;
        events.extend(mthp::read()?);
        Ok(System {
            swap_used_kb: swaps::used_kb()?,
            events,
        })
    }

    /// How much an event counter has moved since `then`.
    pub fn moved(&self, then: &System, event: &str) -> i64 {
        let at = |s: &System| s.events.get(event).copied().unwrap_or(0) as i64;
        at(self) - at(then)
    }

    /// What processes that are gone have left behind since `then`: swap space, large folios.
    pub fn left_since(&self, then: &System) -> Vec<String> {
        let mut left = Vec::new();
        if self.swap_used_kb != then.swap_used_kb {
            let (a, b) = (self.swap_used_kb, then.swap_used_kb);
            left.push(format!("swap used is {a} kB, was {b} kB"));
        }
        for event in self.events.keys().filter(|e| e.contains("/nr_anon")) {
            let moved = self.moved(then, event);
            if moved != 0 {
                left.push(format!("{event} is off by {moved}"));
            }
        }
        left
    }
}

/// One look at everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The processes, in the order they were given.
    pub processes: Vec<Process>,
    /// Flags and map counts of the given page frames.
    pub frames: Vec<(Flags, u64)>,
    /// The system.
    pub system: System,
}

impl Snapshot {
    /// Looks at some ranges (addresses and lengths) in each of `pids`, and at the page frames
    /// `frames` (the first and how many).
    pub fn take(
        pids: &[i32],
        ranges: &[(u64, u64)],
        frames: Option<(u64, usize)>,
    ) -> io::Result<Self> {
        let process = |pid: &i32| -> io::Result<Process> {
            let mut pages = Vec::new();
            for (at, len) in ranges {
                pages.extend(pagemap::read(*pid, *at, *len as usize / page_size())?);
            }
            Ok(Process {
                pages,
                status: status::read(*pid)?,
                smaps: smaps::read(*pid, ranges)?,
            })
        };
        let frames = match frames {
            None => Vec::new(),
            Some((pfn, n)) => kpage::flags(pfn, n)?
                .into_iter()
                .zip(kpage::counts(pfn, n)?)
                .collect(),
        };
        Ok(Snapshot {
            processes: pids.iter().map(process).collect::<io::Result<_>>()?,
            frames,
            system: System::take()?,
        })
    }
}
