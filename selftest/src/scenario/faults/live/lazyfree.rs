// SPDX-License-Identifier: GPL-2.0

//! Failures to drop pages that may be dropped, and that the kernel reclaims in live mode.

use super::Who;
use crate::cgroup::Cgroup;
use crate::faults::Fault;
use crate::knobs;
use crate::live::{self, Since};
use crate::observe::System;
use crate::runner::Test;
use crate::scenario::course;
use crate::scenario::faults::lazyfree::{check_dropped, check_kept, check_rest, Looks, Parts};
use crate::scenario::faults::stops::size;
use crate::shape::whole;
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

const ORDER: u32 = 4;

/// Either failure, of one process by MADV_PAGEOUT and of two by memory.reclaim, at each batch.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for looks in [Looks::Dirty, Looks::InUse] {
        for (parts, who, by) in [
            (Parts::Whole, Who::Pageout, "MADV_PAGEOUT"),
            (Parts::Processes, Who::Cgroup, "memory.reclaim"),
        ] {
            let (place, size) = (looks.names().0, size(ORDER));
            let name = format!("faults: live: {place}: {by}, {size}{}", parts.name());
            tests.push(Test::new(name, move |checks| {
                for n in 0..parts.batches(1 << ORDER).len() {
                    checks.context(format!("from batch {n} on"));
                    run(checks, looks, (parts, who), n)?;
                }
                Ok(())
            }));
        }
    }
    tests
}

/// All batches fail from `n` on.
fn run(
    checks: &mut Checks,
    looks: Looks,
    (parts, who): (Parts, Who),
    n: usize,
) -> Result<(), Stop> {
    let (name, reason) = looks.names();
    let fault = Fault::of_module(name)?;
    let cgroup = Cgroup::enter()?;
    let family = Family::new(2)?;
    let origin = System::take()?;
    let mut shape = parts.make(&family, ORDER)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let mappings = shape.expected().mappings;
    let before = shape.look()?;
    live::set(true)?;
    let since = Since::now()?;
    fault.all_after(n as u64)?;
    who.reclaim(&cgroup, &shape, false)?;
    let failed = fault.failures()? > 0;
    checks.eq("whether it failed", failed, true);
    fault.disarm()?;
    let after = shape.look()?;

    let batches = parts.batches_seen(folio.pages, n, &after);
    let (dropped, kept) = batches.split_at(n);
    let unmapped = dropped.iter().map(|(_, pages)| pages.len() as u64).sum();
    let runs = ("runs", n as u64);
    since.check(checks, &[("unmapped", unmapped), runs, ("live_folios", 0)])?;
    // Reclaim may have come back to it.
    for (key, least) in [
        (reason, 1),
        ("failed", 1),
        ("batches", n as u64 + 1),
        ("restored", kept[0].1.len() as u64),
    ] {
        let moved = since.moved(key)?;
        checks.that(moved >= least, || {
            format!("stats {key}: {moved}, not {least}")
        });
    }
    for (k, pages) in dropped {
        shape.pages[*k][pages.clone()].fill(None);
    }
    check_dropped(checks, &shape, dropped, (&before, &after));
    check_kept(checks, looks, &shape, &after)?;

    let gone = who.reclaim_rest(&cgroup, &shape, looks == Looks::Dirty)?;
    checks.eq("whether it goes when nothing fails", gone, true);
    since.check(checks, &[("unmapped", mappings), ("live_folios", 1)])?;
    live::set(false)?;
    check_rest(checks, looks, &shape, mappings - unmapped)?;
    shape.exit()?;
    // Pages of this process may have gone out as well, and have to come back.
    knobs::empty_swap()?;
    course::check_gone(checks, (folio.pfn, folio.pages), &origin)?;
    Ok(())
}
