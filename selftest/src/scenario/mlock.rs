// SPDX-License-Identifier: GPL-2.0

//! Folios in mlocked VMAs: they stay, and an mlock that was missed is made good.

use std::ops::Range;

use super::course::{self, each_path};
use super::facts::{self, Facts};
use super::untouched;
use crate::observe::{mthp, vmstat, Snapshot, System};
use crate::runner::Test;
use crate::shape::folio::drain_lists;
use crate::shape::{self, partial, whole, Mapping, Shape};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// What becomes of a folio of which `locked` pages are mlocked, piece by piece.
struct Case {
    name: &'static str,
    make: for<'f> fn(&'f Family) -> Result<Shape<'f>, Stop>,
    /// The pages that the first process mlocks, one call a range.
    locked: Vec<Range<usize>>,
    /// The folio counts as mlocked after a request.
    restored: bool,
}

/// Locked in part, in two calls of which neither has all of it, across page tables, and in a race.
pub fn tests() -> Vec<Test> {
    let case = |name, make, locked, restored| Case {
        name,
        make,
        locked,
        restored,
    };
    let alone: for<'f> fn(&'f Family) -> Result<Shape<'f>, Stop> =
        |f| shape::exclusive(f, 4, Mapping::Pte);
    let ranges = |all: &[(usize, usize)]| all.iter().map(|r| r.0..r.1).collect::<Vec<_>>();
    let cases = vec![
        case("the first half", alone, ranges(&[(0, 8)]), false),
        case("the second half", alone, ranges(&[(8, 16)]), false),
        case("a page", alone, ranges(&[(5, 6)]), false),
        case(
            "both halves, one by one",
            alone,
            ranges(&[(0, 8), (8, 16)]),
            true,
        ),
        case(
            "2 MiB, both halves, one by one",
            |f| shape::exclusive(f, mthp::pmd_order(), Mapping::Pmd),
            ranges(&[(0, 256), (256, 512)]),
            true,
        ),
        case(
            "both halves, one by one, across a page table's end",
            |f| partial::moved(f, 4, -5),
            ranges(&[(0, 8), (8, 16)]),
            false,
        ),
        case(
            "both halves, one by one, by one of two processes",
            |f| shape::forked(f, 4, Mapping::Pte, 2),
            ranges(&[(0, 8), (8, 16)]),
            true,
        ),
        case(
            "all but a hole",
            |f| {
                let hole = |i| i == 7;
                partial::holes(f, 4, Mapping::Pte, (partial::Hole::DontNeed, hole))
            },
            ranges(&[(0, 8), (8, 16)]),
            false,
        ),
    ];
    let mut tests: Vec<Test> = cases.into_iter().map(test).collect();
    for (order, mapping) in [(4, Mapping::Pte), (mthp::pmd_order(), Mapping::Pmd)] {
        let name = format!("mlock: {} pages, mlock and munlock racing", 1 << order);
        tests.push(Test::new(name, move |checks| {
            for path in Path::BOTH {
                checks.context(path.to_string());
                race(checks, (order, mapping), path)?;
            }
            Ok(())
        }));
    }
    tests
}

fn test(case: Case) -> Test {
    Test::new(format!("mlock: {}", case.name), move |checks| {
        each_path(checks, &|checks, path| run(checks, &case, path))
    })
}

fn run(checks: &mut Checks, case: &Case, path: Path) -> Result<Facts, Stop> {
    let family = Family::in_cgroup(2, true)?;
    let origin = System::take()?;
    // What others have let go of may still be counted.
    drain_lists()?;
    let locked_pages = vmstat::summed("nr_mlock")?;
    let shape = (case.make)(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let subject = &shape.subjects[0];
    for span in case.locked.iter().flat_map(|pages| shape.spans_of(pages)) {
        subject.mlock(span.at, span.len)?;
    }
    drain_lists()?;
    let before = shape.look()?;
    if before.frames[0].0.has("mlocked") {
        return Err(Stop::Skip("the kernel has not missed this mlock".into()));
    }

    let mut seen = Facts::new();
    let page = case.locked[0].start;
    let request = Request::new(shape.subjects[0].pid, shape.address(page), path);
    let answer = trigger::request(&request)?;
    drain_lists()?;
    let after = shape.look()?;
    facts::note(&mut seen, ("refused", true), &folio, &before, &after);
    facts::note_frames(&mut seen, "refused", &after);
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    check_kept(checks, case, &before, &after);
    let swapped = |s: &Snapshot| {
        let pages = s.processes.iter().flat_map(|p| &p.pages);
        pages.filter(|e| e.swapped()).count() as u64
    };
    let unmapped = answer.report.number("unmapped");
    checks.eq("report unmapped", unmapped, Some(swapped(&after)));
    checks.eq("report failed", answer.report.number("failed"), Some(1));
    let mlocked = after.frames[0].0.has("mlocked");
    checks.eq("the folio counts as mlocked", mlocked, case.restored);
    let now = vmstat::summed("nr_mlock")? - locked_pages;
    let want = if case.restored { folio.pages as i64 } else { 0 };
    checks.eq("nr_mlock", now, want);

    // What was locked can be unmapped when it is not any more.
    for span in case.locked.iter().flat_map(|pages| shape.spans_of(pages)) {
        subject.munlock(span.at, span.len)?;
    }
    drain_lists()?;
    let answer = trigger::request(&request)?;
    checks.eq("errno when unlocked", errno_name(answer.errno), "ok".into());
    let unlocked = shape.look()?;
    facts::note(&mut seen, ("unlocked", true), &folio, &before, &unlocked);
    facts::note_frames(&mut seen, "unlocked", &unlocked);
    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let faults = course::write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    let gone = course::let_go(checks, shape, &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    let left = vmstat::summed("nr_mlock")? - locked_pages;
    checks.eq("nr_mlock in the end", left, 0);
    Ok(seen)
}

/// Locked pages are where they were, and the others there or all swapped.
fn check_kept(checks: &mut Checks, case: &Case, before: &Snapshot, after: &Snapshot) {
    let (was, now) = (&before.processes[0].pages, &after.processes[0].pages);
    for pages in &case.locked {
        // How often a page is mapped (bit 56) changes when another process has lost it.
        let same = |i: usize| (was[i].0 ^ now[i].0) & !(1 << 56) == 0;
        checks.that(pages.clone().all(same), || {
            format!("locked pages {pages:?} have changed")
        });
    }
    let (a, b) = (&before.processes[0].status, &after.processes[0].status);
    checks.eq("VmLck", b.vm_lck, a.vm_lck);
}

/// Requests while the process locks and unlocks the folio.
fn race(checks: &mut Checks, (order, mapping): (u32, Mapping), path: Path) -> Result<(), Stop> {
    const TIMES: u64 = 40;
    whole::must_be_swapped(order)?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    drain_lists()?;
    let locked_pages = vmstat::summed("nr_mlock")?;
    let shape = shape::exclusive(&family, order, mapping)?;
    let folio = shape.folio;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    shape.subjects[0].toggle_mlock(folio.address, folio.len(), TIMES)?;
    for _ in 0..TIMES {
        let errno = errno_name(trigger::request(&request)?.errno);
        // Between two requests it may be in swap.
        let known = ["ok", "EBUSY", "ENOENT"].contains(&errno.as_str());
        checks.that(known, || format!("errno {errno}"));
    }
    shape.subjects[0].toggled()?;
    drain_lists()?;
    let seen = shape.look()?;
    checks.eq("VmLck", seen.processes[0].status.vm_lck, 0);
    course::read_back(checks, &shape)?;
    let back = shape.look()?;
    untouched::check_present(checks, &back.processes[0]);
    course::let_go(checks, shape, &origin)?;
    let left = vmstat::summed("nr_mlock")? - locked_pages;
    checks.eq("nr_mlock in the end", left, 0);
    Ok(())
}
