// SPDX-License-Identifier: GPL-2.0

//! When the processes are gone.

use std::thread::sleep;
use std::time::Duration;

use crate::knobs;
use crate::observe::{kpage, vmstat, System};
use crate::shape::Shape;
use crate::subject::Subject;
use crate::verdict::{Checks, Stop};

/// How often it is looked, every 20 ms, until nothing is left.
const PATIENCE: usize = 100;

/// Ends the processes of a shape; after that, all must be as it was before they came, and nothing may
/// be charged to their control group any more.
pub fn let_go(checks: &mut Checks, shape: Shape<'_>, origin: &System) -> Result<System, Stop> {
    let folio = shape.folio;
    let group = shape.subjects.first().and_then(Subject::cgroup);
    shape.exit()?;
    let gone = check_gone(checks, (folio.pfn, folio.pages), origin)?;
    if let Some(group) = group {
        let left = group.events()?;
        for event in ["memcg/swap.current", "memcg/anon", "memcg/swapcached"] {
            // Not every group has its statistics watched.
            let left = left.get(event).copied().unwrap_or(0);
            checks.eq(&format!("{event} when all are gone"), left, 0);
        }
    }
    Ok(gone)
}

/// Empties swap if, when the processes are gone, what is in use of it is in the swap cache alone, and
/// says how many KiB those were.
///
/// There the kernel itself leaves, until reclaim comes by, the first page of a folio that MADV_FREE
/// splits while it is in the swap cache and its first pages are not mapped.
pub fn empty_swap_cache(origin: &System) -> Result<u64, Stop> {
    let in_use = || System::take().map(|s| s.swap_used_kb.saturating_sub(origin.swap_used_kb));
    let mut left_kb = in_use()?;
    for attempt in 1..10 {
        match (left_kb, attempt) {
            (0, _) => return Ok(0),
            (_, 2) => knobs::write("/proc/sys/vm/drop_caches", "1")?,
            _ => sleep(Duration::from_millis(20)),
        }
        left_kb = in_use()?;
    }
    let cached_kb = vmstat::swap_cached_kb()?;
    if left_kb == 0 || cached_kb < left_kb {
        return Ok(0);
    }
    knobs::empty_swap()?;
    Ok(left_kb)
}

/// When the processes are gone, all must be as it was before they came.
pub fn check_gone(
    checks: &mut Checks,
    (pfn, pages): (u64, usize),
    origin: &System,
) -> Result<System, Stop> {
    let mut attempt = 0;
    loop {
        let now = System::take()?;
        let mut left = now.left_since(origin);
        let frames = kpage::flags(pfn, pages)?.into_iter();
        let orphans = frames.filter(|f| f.has("anon") && !f.has("mmap")).count();
        if orphans > 0 {
            left.push(format!(
                "{orphans} page frames are still anonymous memory of nobody"
            ));
        }
        if left.is_empty() {
            return Ok(now);
        }
        attempt += 1;
        match attempt {
            // Per-CPU lists hold references for a while; this drains them.
            2 => knobs::write("/proc/sys/vm/drop_caches", "1")?,
            PATIENCE => {
                checks.that(false, || left.join("\n"));
                return Ok(now);
            }
            _ => sleep(Duration::from_millis(20)),
        }
    }
}
