// SPDX-License-Identifier: GPL-2.0

//! Failures in the middle of a folio that the kernel reclaims in live mode.
//!
//! The folio stays in the swap cache, and reclaim may come back to it. So that this finds no more
//! than the first time, all calls fail from one on.

mod lazyfree;

use super::left;
use super::place::{Place, PLACES};
use super::stops::{size, Make};
use crate::cgroup::Cgroup;
use crate::faults::Fault;
use crate::knobs;
use crate::live::{self, Since};
use crate::observe::System;
use crate::runner::Test;
use crate::scenario::course;
use crate::scenario::mixed::MASKS;
use crate::shape::stopped::{self, At, Visit};
use crate::shape::{self, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

/// How often reclaim may be asked to take a folio that nothing fails for.
const TRIES: usize = 5;

/// Who reclaims.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// `MADV_PAGEOUT`, which takes what one process has alone.
    Pageout,
    /// `memory.reclaim`, which takes other memory of the processes as well.
    Cgroup,
}

impl Who {
    /// Has it take the folio: what needs swap, or what does not.
    fn reclaim(self, cgroup: &Cgroup, shape: &Shape<'_>, swap: bool) -> Result<(), Stop> {
        let folio = &shape.folio;
        match (self, swap) {
            (Who::Pageout, _) => {
                let subject = &shape.subjects[0];
                subject.madvise(folio.address, folio.len(), libc::MADV_PAGEOUT)
            }
            (Who::Cgroup, true) => Ok(cgroup.reclaim_anon()?),
            (Who::Cgroup, false) => Ok(cgroup.reclaim_file()?),
        }
    }

    /// When nothing fails, has it take all that is left, which counts as in use now.
    fn reclaim_rest(self, cgroup: &Cgroup, shape: &Shape<'_>, swap: bool) -> Result<bool, Stop> {
        for _ in 0..TRIES {
            if !is_mapped(shape)? {
                return Ok(true);
            }
            self.reclaim(cgroup, shape, swap)?;
        }
        Ok(!is_mapped(shape)?)
    }
}

fn is_mapped(shape: &Shape<'_>) -> Result<bool, Stop> {
    let now = shape.look()?;
    let mut pages = now.processes.iter().flat_map(|p| &p.pages);
    Ok(pages.any(|e| e.present()))
}

/// A folio of one process, one that a child has in part, and one of three processes x place; and
/// what may be dropped.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let name = format!("MADV_PAGEOUT, {}, exclusive", size(4));
    add(&mut tests, &name, Who::Pageout, |f| {
        shape::exclusive(f, 4, Mapping::Pte)
    });
    let (mask_name, mask) = MASKS[2];
    let name = format!("memory.reclaim, {}, {mask_name} exclusive", size(4));
    add(&mut tests, &name, Who::Cgroup, move |f| {
        shape::mixed(f, 4, &|i| mask(i, 16), WriteBits::Equal, &|_, _| Ok(()))
    });
    let name = format!("memory.reclaim, {} in 3 processes", size(4));
    add(&mut tests, &name, Who::Cgroup, |f| {
        shape::forked(f, 4, Mapping::Pte, 3)
    });
    tests.extend(lazyfree::tests());
    tests
}

fn add(
    tests: &mut Vec<Test>,
    shape_name: &str,
    who: Who,
    make: impl for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop> + Clone + 'static,
) {
    for place in PLACES {
        let name = format!("faults: live: {}: {shape_name}", place.title());
        let make = make.clone();
        tests.push(Test::new(name, move |checks| {
            some_calls(checks, &place, who, &make)
        }));
    }
}

/// Fails from the first call on, from one in the middle, and from the last, if there are any.
fn some_calls(checks: &mut Checks, place: &Place, who: Who, make: &Make) -> Result<(), Stop> {
    let family = Family::new(4)?;
    let shape = make(&family)?;
    let calls = stopped::calls(&shape.pages, false, place.at);
    shape.exit()?;
    let mut some = vec![0, calls / 2, calls.saturating_sub(1)];
    some.dedup();
    for n in some {
        checks.context(format!("from call {n} of {calls} on"));
        run(checks, place, n, who, make)?;
        if !checks.broken().is_empty() {
            return Err(Stop::Fail("no further call is tried after that".into()));
        }
    }
    Ok(())
}

fn run(checks: &mut Checks, place: &Place, n: u64, who: Who, make: &Make) -> Result<(), Stop> {
    let fault = Fault::of_module(place.name)?;
    let cgroup = Cgroup::enter()?;
    let family = Family::new(4)?;
    let origin = System::take()?;
    let mut shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let before = shape.look()?;
    live::set(true)?;
    let since = Since::now()?;
    let by_page = place.count_by_page()?;
    fault.all_after(n)?;
    who.reclaim(&cgroup, &shape, true)?;
    let failed = fault.failures()? > 0;
    fault.disarm()?;
    drop(by_page);
    let after = shape.look()?;

    let at = (place.at)(n);
    let leaves = |visits: &[Visit]| stopped::stopped_from(&shape.pages, visits, at);
    let want = left::fitting(&shape, at, &leaves, (&before, &after), None)?;
    checks.eq("whether it failed", failed, want.reached);
    // Counted page by page, or at the end of a VMA, nothing is lost.
    let stays = want.taken.mappings < shape.expected().mappings;
    // Who finds no entry does not know that there is one.
    let reason = stays && !matches!(at, At::Walk(_));
    left::check_counts(checks, &shape, &want, &after);
    for k in 0..shape.pages.len() {
        let (lost, seen) = (|i: usize| want.lost[k][i], (&before, &after));
        match who {
            Who::Pageout => course::check_parts(checks, &shape, k, &lost, seen),
            Who::Cgroup => drop(course::check_part_entries(checks, &shape, k, &lost, seen)),
        }
    }
    since.check(
        checks,
        &[
            ("unmapped", want.taken.mappings),
            ("runs", want.taken.runs),
            ("live_folios", u64::from(!stays)),
        ],
    )?;
    for (key, least) in [
        (place.reason, reason.into()),
        ("batches", want.taken.batches),
        ("restored", want.restored),
    ] {
        let moved = since.moved(key)?;
        checks.that(moved >= least, || {
            format!("stats {key}: {moved}, not {least}")
        });
    }
    let cached = after.frames.iter().all(|(flags, _)| flags.has("swapcache"));
    checks.eq("in the swap cache", cached, stays);
    if !checks.broken().is_empty() {
        return Err(Stop::Fail("not read back after that".into()));
    }

    let gone = who.reclaim_rest(&cgroup, &shape, true)?;
    checks.eq("whether it goes when nothing fails", gone, true);
    let taken = ("unmapped", shape.expected().mappings);
    since.check(checks, &[taken, ("live_folios", 1)])?;
    live::set(false)?;

    course::read_back(checks, &shape)?;
    let back = shape.look()?;
    shape.allow_writes()?;
    let faults = course::write_all(checks, &shape)?;
    course::check_written(checks, &shape, &back, &shape.look()?, &faults);
    shape.exit()?;
    // Pages of this process went out as well, and have to come back.
    knobs::empty_swap()?;
    course::check_gone(checks, (folio.pfn, folio.pages), &origin)?;
    Ok(())
}
