// SPDX-License-Identifier: GPL-2.0

//! Failures to drop pages that may be dropped.

use crate::faults::Fault;
use crate::live::Since;
use crate::observe::System;
use crate::runner::Test;
use crate::scenario::{course, lazyfree, untouched};
use crate::shape::partial::Hole;
use crate::shape::{bytes, Mapping};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// What a batch is taken for: written to again, or in use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looks {
    Dirty,
    InUse,
}

impl Looks {
    /// The folder of the failure, and the reason that is counted.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Looks::Dirty => ("fail_lazyfree_dirty", "failed_redirtied"),
            Looks::InUse => ("fail_lazyfree_references", "failed_extra_references"),
        }
    }
}

/// Either failure, on a page, on a folio, and at each batch of one with a hole.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for looks in [Looks::Dirty, Looks::InUse] {
        for (order, hole, batches) in [(0, false, 1), (4, false, 1), (4, true, 2)] {
            let name = format!(
                "faults: {}: {} kB{}",
                looks.names().0,
                bytes(1 << order) / 1024,
                if hole { " with a hole" } else { "" }
            );
            tests.push(Test::new(name, move |checks| {
                for n in 0..batches {
                    checks.context(format!("batch {n}"));
                    run(checks, looks, (order, hole), n)?;
                }
                Ok(())
            }));
        }
    }
    tests
}

fn run(checks: &mut Checks, looks: Looks, (order, hole): (u32, bool), n: u64) -> Result<(), Stop> {
    /// Pages that are gone, so that there are two batches.
    const HOLE: std::ops::Range<usize> = 4..8;
    let (name, reason) = looks.names();
    let fault = Fault::of_module(name)?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let mut shape = lazyfree::clean(&family, order, Mapping::Pte)?;
    let folio = shape.folio;
    if hole {
        shape.let_go(Hole::DontNeed, &HOLE)?;
    }
    let before = shape.look()?;
    let since = Since::now()?;
    fault.once_after(n)?;
    let first = Request::new(shape.subjects[0].pid, folio.address, Path::Batched);
    let answer = trigger::request(&first)?;
    checks.eq("whether it failed", fault.disarm()?, true);
    let after = shape.look()?;

    // The batches before are dropped.
    let dropped = if n == 0 { 0 } else { HOLE.start };
    let left = shape.expected().mappings - dropped as u64;
    let restored = match (hole, n) {
        (true, 0) => HOLE.start as u64,
        _ => left,
    };
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    for (key, want) in [
        ("unmapped", dropped as u64),
        ("batches", n + 1),
        ("runs", n),
        ("restored", restored),
        ("failed", 1),
    ] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
    since.check(checks, &[(reason, 1)])?;
    let pages = &after.processes[0].pages;
    let gone = |i: usize| !pages[i].present() && !pages[i].swapped();
    checks.that((0..dropped).all(gone), || {
        "pages that may be dropped are not".into()
    });
    shape.pages[0][..dropped].fill(None);
    if dropped == 0 {
        let (was, now) = (&before.processes[0], &after.processes[0]);
        untouched::check_entries(checks, "the process", was, now, &folio);
        untouched::check_counters(checks, "the process", was, now);
    }
    let back = after.frames[0].0.has("swapbacked");
    checks.eq("swapbacked", back, looks == Looks::Dirty);
    course::read_back(checks, &shape)?;

    // Without the failure it goes: to swap if it was written to, else for good.
    let again = Request {
        address: shape.address_of_byte(0),
        ..first
    };
    let answer = trigger::request(&again)?;
    checks.eq("errno of the rest", errno_name(answer.errno), "ok".into());
    checks.eq(
        "report unmapped, of the rest",
        answer.report.number("unmapped"),
        Some(left),
    );
    let now = shape.look()?;
    let swapped = now.processes[0]
        .pages
        .iter()
        .filter(|e| e.swapped())
        .count() as u64;
    let want = if looks == Looks::Dirty { left } else { 0 };
    checks.eq("pages in swap", swapped, want);
    if looks == Looks::Dirty {
        course::read_back(checks, &shape)?;
    }
    course::let_go(checks, shape, &origin)?;
    Ok(())
}
