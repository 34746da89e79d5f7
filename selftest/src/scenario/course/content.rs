// SPDX-License-Identifier: GPL-2.0

//! After the unmap: what the processes read, what they write, and the faults that it takes.

use super::unmapped::check_bits;
use super::Plan;
use crate::observe::Snapshot;
use crate::scenario::facts;
use crate::shape::{folio, Page, Shape};
use crate::subject::Faults;
use crate::verdict::{Checks, Stop};

/// Reads every byte in every process.
pub fn read_back(checks: &mut Checks, shape: &Shape<'_>) -> Result<Vec<Faults>, Stop> {
    let mut taken = Vec::new();
    for (k, subject) in shape.subjects.iter().enumerate() {
        let start = subject.faults()?;
        for span in shape.spans(k) {
            let differs = subject.compare_moved(span.at, span.len, folio::SEED, span.origin)?;
            checks.that(differs.is_none(), || {
                format!(
                    "content of process {k} differs from {:#x} on",
                    differs.unwrap_or(0)
                )
            });
        }
        taken.push(since(subject.faults()?, start));
    }
    Ok(taken)
}

fn since(now: Faults, then: Faults) -> Faults {
    Faults {
        minor: now.minor - then.minor,
        major: now.major - then.major,
    }
}

/// After the read, everything is mapped again as it was, though not yet writable where shared.
pub fn check_back(
    checks: &mut Checks,
    shape: &Shape<'_>,
    plan: &Plan,
    before: &Snapshot,
    back: &Snapshot,
    faults: &[Faults],
) {
    for (k, (was, now)) in before.processes.iter().zip(&back.processes).enumerate() {
        let what = |field: &str| format!("{field} of process {k} after reading back");
        checks.eq(&what("RssAnon"), now.status.rss_anon, was.status.rss_anon);
        checks.eq(&what("VmSwap"), now.status.vm_swap, was.status.vm_swap);
        checks.eq(
            &what("smaps Swap"),
            now.smaps.kb("Swap"),
            was.smaps.kb("Swap"),
        );
        check_bits(checks, &what, &was.pages, &now.pages);
        if !plan.reclaim {
            let row = |s: &Snapshot| facts::row(&s.processes[k].pages, &shape.folio, None);
            checks.eq(&what("pages"), row(back), row(before));
            checks.eq(&what("major faults"), faults[k].major, 0);
        }
    }
}

/// Each process writes a pattern of its own, then all look whether theirs is still there.
pub fn write_all(checks: &mut Checks, shape: &Shape<'_>) -> Result<Vec<Faults>, Stop> {
    let mut taken = Vec::new();
    for (k, subject) in shape.subjects.iter().enumerate() {
        let start = subject.faults()?;
        for span in shape.spans(k) {
            subject.fill(span.at, span.len, own_seed(k))?;
        }
        taken.push(since(subject.faults()?, start));
        check_not_leaked(checks, shape, k)?;
    }
    check_own_writes(checks, shape)?;
    Ok(taken)
}

/// The process after `k`, which has not yet written, must not see what `k` wrote.
fn check_not_leaked(checks: &mut Checks, shape: &Shape<'_>, k: usize) -> Result<(), Stop> {
    let Some(next) = shape.subjects.get(k + 1) else {
        return Ok(());
    };
    for span in shape.spans(k + 1) {
        let differs = next.compare_moved(span.at, span.len, folio::SEED, span.origin)?;
        checks.that(differs.is_none(), || {
            let at = differs.unwrap_or(0);
            format!(
                "process {} sees what process {k} wrote, from {at:#x} on",
                k + 1
            )
        });
    }
    Ok(())
}

/// The seed of the pattern that process `k` writes.
pub fn own_seed(k: usize) -> u64 {
    folio::SEED + 1 + k as u64
}

/// Each process must see what it wrote itself, and nothing of what the others did.
pub fn check_own_writes(checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
    for (k, subject) in shape.subjects.iter().enumerate() {
        for span in shape.spans(k) {
            let differs = subject.compare(span.at, span.len, own_seed(k))?;
            checks.that(differs.is_none(), || {
                let at = differs.unwrap_or(0);
                format!("process {k} does not see its own writes from {at:#x} on")
            });
        }
    }
    Ok(())
}

/// Each page that is shared, or whose first write the kernel wants to see, has taken a fault when it
/// was written to, and no other has.
pub fn check_write_faults(checks: &mut Checks, shape: &Shape<'_>, faults: &[Faults]) {
    let loud = |p: &&Page| !p.exclusive || !p.soft_dirty;
    for (k, pages) in shape.pages.iter().enumerate() {
        let want = pages.iter().flatten().filter(loud).count() as u64;
        let what = format!("minor faults of process {k} when it wrote");
        checks.eq(&what, faults[k].minor, want);
    }
}

/// A write to an exclusive page takes no fault and stays in its frame; one to a shared page
/// faults. So a swap entry that lost its exclusive bit is seen, and one that won it as well.
pub fn check_written(
    checks: &mut Checks,
    shape: &Shape<'_>,
    back: &Snapshot,
    written: &Snapshot,
    faults: &[Faults],
) {
    check_write_faults(checks, shape, faults);
    for (k, pages) in shape.pages.iter().enumerate() {
        for (i, page) in pages.iter().enumerate() {
            let pfn = |s: &Snapshot| s.processes[k].pages[i].pfn();
            if page.is_some_and(|p| p.exclusive) {
                checks.that(pfn(back) == pfn(written), || {
                    format!("exclusive page {i} of process {k} was copied by a write")
                });
            }
        }
    }
}
