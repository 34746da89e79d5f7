// SPDX-License-Identifier: GPL-2.0

//! Failures in the middle of a folio: at each run of a batch, in each VMA.

use crate::faults::Fault;
use crate::live::Since;
use crate::observe::{mthp, Snapshot, System};
use crate::runner::Test;
use crate::scenario::course::{self, Plan, Via};
use crate::scenario::faults::left;
use crate::scenario::faults::place::{Place, PLACES};
use crate::scenario::mixed::{Mask, MASKS};
use crate::scenario::untouched;
use crate::shape::device::device_exclusive;
use crate::shape::stopped::{self, At, Stopped, Visit};
use crate::shape::{self, bytes, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// What comes after the failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// The rest is unmapped, too.
    Unmap,
    /// All processes read and write what they have.
    ReadBack,
}

pub(super) type Make = dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>;

/// Of the calls that unmapping a folio makes, those that are tried.
#[derive(Clone, Copy)]
enum Tried {
    /// Each, if they are not very many.
    Each,
    /// The first, one in the middle, and the last.
    Some,
}

/// Exclusive, shared and mixed folios x place.
pub fn tests() -> Vec<Test> {
    let (pmd, pte) = (mthp::pmd_order(), Mapping::Pte);
    let mut tests = Vec::new();
    // What shows most comes first.
    for (order, mapping) in [(0, pte), (2, pte), (4, pte)] {
        add_exclusive(&mut tests, order, mapping);
    }
    add_mixed(&mut tests, 4, MASKS[2], WriteBits::Equal);
    let name = format!("{} in 3 processes", size(4));
    add(&mut tests, name, (pte, Tried::Some), move |f| {
        shape::forked(f, 4, pte, 3)
    });
    let name = format!("{}, a device has three pages", size(4));
    add(&mut tests, name, (pte, Tried::Each), |f| {
        device_exclusive(f, 4, &|i| [3, 4, 9].contains(&i))
    });
    add_mixed(&mut tests, 4, MASKS[2], WriteBits::Differ);
    add_mixed(&mut tests, 4, MASKS[0], WriteBits::Equal);
    add_mixed(&mut tests, 4, MASKS[1], WriteBits::Equal);
    add_exclusive(&mut tests, pmd, pte);
    add_exclusive(&mut tests, pmd, Mapping::Pmd);
    add_mixed(&mut tests, 6, MASKS[2], WriteBits::Equal);
    tests
}

pub(super) fn size(order: u32) -> String {
    format!("{} kB", bytes(1 << order) / 1024)
}

fn add_exclusive(tests: &mut Vec<Test>, order: u32, mapping: Mapping) {
    if mthp::orders().contains(&order) {
        let name = format!("{} by {mapping:?}, exclusive", size(order));
        add(tests, name, (mapping, Tried::Each), move |f| {
            shape::exclusive(f, order, mapping)
        });
    }
}

fn add_mixed(tests: &mut Vec<Test>, order: u32, (name, mask): (&str, Mask), bits: WriteBits) {
    if !mthp::orders().contains(&order) {
        return;
    }
    // At one folio of which every page is a run.
    let tried = match (order, bits) {
        (4, WriteBits::Equal) if name == MASKS[2].0 => Tried::Each,
        _ => Tried::Some,
    };
    let pages = 1 << order;
    let (size, bits_name) = (size(order), format!("{bits:?}").to_lowercase());
    let name = format!("{size}, {name} exclusive, write bits {bits_name}");
    add(tests, name, (Mapping::Pte, tried), move |f| {
        shape::mixed(f, order, &|i| mask(i, pages), bits, &|_, _| Ok(()))
    });
}

fn add(
    tests: &mut Vec<Test>,
    shape_name: String,
    (mapping, tried): (Mapping, Tried),
    make: impl for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop> + Clone + 'static,
) {
    for place in PLACES {
        let name = format!("faults: {}: {shape_name}", place.title());
        let make = make.clone();
        tests.push(Test::new(name, move |checks| {
            each_call(checks, &place, (mapping == Mapping::Pmd, tried), &make)
        }));
    }
}

/// Has one call after the other fail that unmapping the folio makes; then one that is never made.
fn each_call(
    checks: &mut Checks,
    place: &Place,
    (by_pmd, tried): (bool, Tried),
    make: &Make,
) -> Result<(), Stop> {
    let family = Family::new(4)?;
    let shape = make(&family)?;
    let calls = stopped::calls(&shape.pages, by_pmd, place.at);
    shape.exit()?;
    for n in which(calls, tried).into_iter().chain([calls]) {
        // Both after the first call, and then in turn.
        for (i, then) in [(0, Then::Unmap), (1, Then::ReadBack)] {
            if n > 0 && n % 2 != i {
                continue;
            }
            checks.context(format!("call {n} of {calls}, {then:?}"));
            let reached = run(checks, place, n, (then, by_pmd), make)?;
            checks.eq("whether the call was made", reached, n < calls);
            if !checks.broken().is_empty() {
                return Err(Stop::Fail("no further call is tried after that".into()));
            }
        }
    }
    Ok(())
}

/// Of so many calls, those to try.
fn which(calls: u64, tried: Tried) -> Vec<u64> {
    /// Up to here, each.
    const FEW: u64 = 50;
    match (tried, calls) {
        (_, 0..=3) | (Tried::Each, 4..=FEW) => (0..calls).collect(),
        (Tried::Each, _) => vec![0, 1, calls / 2, calls - 1],
        (Tried::Some, _) => vec![0, calls / 2, calls - 1],
    }
}

/// Has call `n` fail; false if it did not come to that.
fn run(
    checks: &mut Checks,
    place: &Place,
    n: u64,
    (then, by_pmd): (Then, bool),
    make: &Make,
) -> Result<bool, Stop> {
    let fault = Fault::of_module(place.name)?;
    let family = Family::new(4)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let before = shape.look()?;
    let since = Since::now()?;
    let by_page = place.count_by_page()?;
    fault.once_after(n)?;
    let answer = trigger::request(&request(&shape, (0, 0)))?;
    let reached = fault.disarm()?;
    let counted = by_page.map(|fault| fault.failures()).transpose()?;
    let after = shape.look()?;
    let at = (place.at)(n);
    let rest = check(checks, &shape, (at, by_pmd), (&before, &after), &answer)?;
    checks.eq("whether it failed", reached, rest.reached);
    if let Some(failures) = counted {
        checks.eq("batches counted by page", failures, rest.taken.batches);
    }
    let failed = u64::from(answer.errno != 0);
    since.check(checks, &[(place.reason, failed), ("failed", failed)])?;
    if !checks.broken().is_empty() {
        return Err(Stop::Fail("not read back after that".into()));
    }

    if then == Then::Unmap {
        if let Some(first) = first_left(&after) {
            let answer = trigger::request(&request(&shape, first))?;
            checks.eq("errno of the rest", errno_name(answer.errno), "ok".into());
            let left = shape.expected().mappings - rest.taken.mappings;
            let number = answer.report.number("unmapped");
            checks.eq("report unmapped, of the rest", number, Some(left));
        }
        let plan = Plan::new(Via::Module(Path::Batched), false);
        course::check_unmapped(checks, &shape, &plan, &before, &shape.look()?);
    }
    course::come_back_and_go(checks, shape, &origin)?;
    Ok(reached)
}

/// The request for the folio that has page `i` of process `k`.
fn request(shape: &Shape<'_>, (k, i): (usize, usize)) -> Request {
    Request::new(shape.subjects[k].pid, shape.folio.page(i), Path::Batched)
}

/// A page that is still mapped.
fn first_left(now: &Snapshot) -> Option<(usize, usize)> {
    let of = |(k, process): (usize, &crate::observe::Process)| {
        Some((k, process.pages.iter().position(|e| e.present())?))
    };
    now.processes.iter().enumerate().find_map(of)
}

/// Each process has lost what it must have, and the report says so.
fn check(
    checks: &mut Checks,
    shape: &Shape<'_>,
    (at, by_pmd): (At, bool),
    (before, after): (&Snapshot, &Snapshot),
    answer: &Answer,
) -> Result<Stopped, Stop> {
    let restored = answer.report.number("restored");
    let leaves = |visits: &[Visit]| stopped::stopped(&shape.pages, visits, by_pmd, at);
    let want = left::fitting(shape, at, &leaves, (before, after), restored)?;
    left::check_counts(checks, shape, &want, after);
    for k in 0..shape.pages.len() {
        course::check_parts(checks, shape, k, &|i| want.lost[k][i], (before, after));
    }
    if want.taken.mappings == 0 {
        untouched::check(checks, &shape.folio, before, after);
    } else {
        let kb = bytes(shape.folio.pages) / 1024;
        let (was, is) = (before.system.swap_used_kb, after.system.swap_used_kb);
        checks.eq("swap used", is, was + kb);
    }

    let complete = want.taken.mappings == shape.expected().mappings;
    let result = if complete { "ok" } else { "EBUSY" };
    checks.eq("errno", errno_name(answer.errno), result.into());
    checks.eq("report result", answer.report.get("result"), Some(result));
    for (key, want) in [
        ("folios", 1),
        ("pages", shape.folio.pages as u64),
        ("unmapped", want.taken.mappings),
        ("failed", u64::from(!complete)),
        ("batches", want.taken.batches),
        ("runs", want.taken.runs),
        ("restored", want.restored),
        ("reclaimed", 0),
    ] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
    Ok(want)
}
