// SPDX-License-Identifier: GPL-2.0

//! Failures to drop pages that may be dropped.

use std::ops::Range;

use crate::faults::Fault;
use crate::live::Since;
use crate::observe::{Snapshot, System};
use crate::runner::Test;
use crate::scenario::{course, lazyfree};
use crate::shape::partial::Hole;
use crate::shape::{bytes, Mapping, Shape};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// What a batch is taken for: written to again, or in use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Looks {
    Dirty,
    InUse,
}

impl Looks {
    /// The folder of the failure, and the reason that is counted.
    pub(super) fn names(self) -> (&'static str, &'static str) {
        match self {
            Looks::Dirty => ("fail_lazyfree_dirty", "failed_redirtied"),
            Looks::InUse => ("fail_lazyfree_references", "failed_extra_references"),
        }
    }
}

/// What is mapped: one batch, or two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Whole,
    /// With pages that are gone between the batches.
    Hole,
    /// A process has it, and its child.
    Processes,
}

/// A batch: the process, and its pages.
pub(super) type Batch = (usize, Range<usize>);

impl Parts {
    /// Pages that are gone.
    const HOLE: Range<usize> = 4..8;

    pub(super) fn name(self) -> &'static str {
        match self {
            Parts::Whole => "",
            Parts::Hole => " with a hole",
            Parts::Processes => " in 2 processes",
        }
    }

    /// The batches of a folio of so many pages, in the order in which they are taken.
    pub(super) fn batches(self, pages: usize) -> Vec<Batch> {
        match self {
            Parts::Whole => vec![(0, 0..pages)],
            Parts::Hole => vec![(0, 0..Self::HOLE.start), (0, Self::HOLE.end..pages)],
            Parts::Processes => vec![(0, 0..pages), (1, 0..pages)],
        }
    }

    /// The same, in the order in which they were taken, of which `n` are dropped.
    pub(super) fn batches_seen(self, pages: usize, n: usize, after: &Snapshot) -> Vec<Batch> {
        let mut batches = self.batches(pages);
        if self == Parts::Processes && n > 0 && !after.processes[1].pages[0].present() {
            // The child was visited first.
            batches.reverse();
        }
        batches
    }

    pub(super) fn make(self, family: &Family, order: u32) -> Result<Shape<'_>, Stop> {
        if self == Parts::Processes {
            return lazyfree::forked(family, order, Mapping::Pte);
        }
        let mut shape = lazyfree::clean(family, order, Mapping::Pte)?;
        if self == Parts::Hole {
            shape.let_go(Hole::DontNeed, &Self::HOLE)?;
        }
        Ok(shape)
    }
}

/// Either failure, on a page, and at each batch of folios.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for looks in [Looks::Dirty, Looks::InUse] {
        for (order, parts) in [
            (0, Parts::Whole),
            (4, Parts::Whole),
            (4, Parts::Hole),
            (4, Parts::Processes),
        ] {
            let name = format!(
                "faults: {}: {} kB{}",
                looks.names().0,
                bytes(1 << order) / 1024,
                parts.name()
            );
            tests.push(Test::new(name, move |checks| {
                for n in 0..parts.batches(1 << order).len() {
                    checks.context(format!("batch {n}"));
                    run(checks, looks, (order, parts), n)?;
                }
                Ok(())
            }));
        }
    }
    tests
}

/// Batch `n` fails.
fn run(
    checks: &mut Checks,
    looks: Looks,
    (order, parts): (u32, Parts),
    n: usize,
) -> Result<(), Stop> {
    let (name, reason) = looks.names();
    let fault = Fault::of_module(name)?;
    let family = Family::new(2)?;
    let origin = System::take()?;
    let mut shape = parts.make(&family, order)?;
    let folio = shape.folio;
    let mappings = shape.expected().mappings;
    let before = shape.look()?;
    let since = Since::now()?;
    fault.once_after(n as u64)?;
    let request =
        |k: usize, i: usize| Request::new(shape.subjects[k].pid, folio.page(i), Path::Batched);
    let answer = trigger::request(&request(0, 0))?;
    checks.eq("whether it failed", fault.disarm()?, true);
    let after = shape.look()?;

    let batches = parts.batches_seen(folio.pages, n, &after);
    let (dropped, kept) = batches.split_at(n);
    let unmapped = dropped.iter().map(|(_, pages)| pages.len() as u64).sum();
    let left = mappings - unmapped;
    let failing = kept[0].clone();
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    for (key, want) in [
        ("unmapped", unmapped),
        ("batches", n as u64 + 1),
        ("runs", n as u64),
        ("restored", failing.1.len() as u64),
        ("failed", 1),
    ] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
    since.check(checks, &[(reason, 1)])?;
    let again = request(failing.0, failing.1.start);
    for (k, pages) in dropped {
        shape.pages[*k][pages.clone()].fill(None);
    }
    check_dropped(checks, &shape, dropped, (&before, &after));
    check_kept(checks, looks, &shape, &after)?;

    // Without the failure it goes.
    let answer = trigger::request(&again)?;
    checks.eq("errno of the rest", errno_name(answer.errno), "ok".into());
    checks.eq(
        "report unmapped, of the rest",
        answer.report.number("unmapped"),
        Some(left),
    );
    check_rest(checks, looks, &shape, left)?;
    course::let_go(checks, shape, &origin)?;
    Ok(())
}

/// What was kept may still be dropped only if it does not look dirty, and has its content.
pub(super) fn check_kept(
    checks: &mut Checks,
    looks: Looks,
    shape: &Shape<'_>,
    after: &Snapshot,
) -> Result<(), Stop> {
    let back = after.frames[0].0.has("swapbacked");
    checks.eq("swapbacked", back, looks == Looks::Dirty);
    course::read_back(checks, shape)?;
    Ok(())
}

/// Then it is gone from where it was left: to swap if it was written to, else for good.
pub(super) fn check_rest(
    checks: &mut Checks,
    looks: Looks,
    shape: &Shape<'_>,
    left: u64,
) -> Result<(), Stop> {
    let now = shape.look()?;
    let entries = now.processes.iter().flat_map(|p| &p.pages);
    let present = entries.clone().filter(|e| e.present()).count();
    checks.eq("pages that are mapped", present, 0);
    let swapped = entries.filter(|e| e.swapped()).count() as u64;
    let want = if looks == Looks::Dirty { left } else { 0 };
    checks.eq("pages in swap", swapped, want);
    if looks == Looks::Dirty {
        course::read_back(checks, shape)?;
    }
    Ok(())
}

/// The entries of `dropped` are empty, all others are as they were, bit for bit, and what is
/// counted fits.
pub(super) fn check_dropped(
    checks: &mut Checks,
    shape: &Shape<'_>,
    dropped: &[Batch],
    (before, after): (&Snapshot, &Snapshot),
) {
    for (k, (was, now)) in before.processes.iter().zip(&after.processes).enumerate() {
        let lost = |i: usize| {
            dropped
                .iter()
                .any(|(of, pages)| *of == k && pages.contains(&i))
        };
        for (i, (was, now)) in was.pages.iter().zip(&now.pages).enumerate() {
            let ok = match lost(i) {
                true => was.present() && !now.present() && !now.swapped(),
                // How often the page is mapped (bit 56) changes when another process lost it.
                false => (was.0 ^ now.0) & !(1 << 56) == 0,
            };
            checks.that(ok, || {
                format!(
                    "entry {i} of process {k}: was {:#x}, is {:#x}",
                    was.0, now.0
                )
            });
        }
        let kb = bytes((0..was.pages.len()).filter(|i| lost(*i)).count()) / 1024;
        let (a, b) = (&was.status, &now.status);
        for (name, a, b) in [
            ("RssAnon", a.rss_anon, b.rss_anon + kb),
            ("VmRSS", a.vm_rss, b.vm_rss + kb),
            ("VmSwap", a.vm_swap, b.vm_swap),
        ] {
            checks.eq(&format!("{name} of process {k}"), b, a);
        }
    }
    for (i, (_, count)) in after.frames.iter().enumerate() {
        let mapped = shape.pages.iter().filter(|pages| pages[i].is_some());
        let what = format!("mappings of page frame {i}");
        checks.eq(&what, *count, mapped.count() as u64);
    }
    let used = |of: &Snapshot| of.system.swap_used_kb;
    checks.eq("swap used", used(after), used(before));
}
