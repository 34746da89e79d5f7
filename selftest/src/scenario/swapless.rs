// SPDX-License-Identifier: GPL-2.0

//! No swap, too little of it, none left, or none allowed: ENOSPC, and everything stays.

use super::course::{self, each_path};
use super::facts::{self, Facts};
use super::untouched;
use crate::observe::{mthp, swaps, System};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Mapping, Shape};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// All, for folios of a few orders.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (order, mapping) in shape::few_sizes() {
        if !mthp::orders().contains(&order) {
            continue;
        }
        let kb = bytes(1 << order) / 1024;
        let name = format!("swapless: {kb} kB by {mapping:?}, no swap");
        tests.push(Test::new(name, move |checks| {
            all_off()?;
            check(checks, order, mapping)
        }));
        let name = format!("swapless: {kb} kB by {mapping:?}, swap of 8 pages");
        if order > 3 {
            tests.push(Test::new(name, move |checks| {
                small_swap(8)?;
                check(checks, order, mapping)
            }));
        }
        let name =
            format!("swapless: {kb} kB by {mapping:?}, a kernel that splits before it swaps");
        if order > 0 {
            tests.push(Test::new(name, move |checks| match whole::swapped()? {
                true => Err(Stop::Skip("this kernel swaps large folios whole".into())),
                false => check(checks, order, mapping),
            }));
        }
        let name = format!("swapless: {kb} kB by {mapping:?}, swap is full");
        tests.push(Test::new(name, move |checks| {
            each_path(checks, &|checks, path| full(checks, (order, mapping), path))
        }));
        for max in [0, bytes(1 << order) / 2] {
            let name = format!("swapless: {kb} kB by {mapping:?}, memory.swap.max={max}");
            if max % bytes(1) == 0 {
                tests.push(Test::new(name, move |checks| {
                    each_path(checks, &|checks, path| {
                        limited(checks, (order, mapping), max, path)
                    })
                }));
            }
        }
    }
    tests
}

/// Leaves one swap area of so many pages.
fn small_swap(pages: usize) -> Result<(), Stop> {
    let area = all_off()?;
    swaps::make(&area, bytes(pages) / 1024)?;
    Ok(sys::swapon(&area)?)
}

/// Another process has taken all swap; when it is gone, the same request succeeds.
fn full(checks: &mut Checks, (order, mapping): (u32, Mapping), path: Path) -> Result<Facts, Stop> {
    const PAGES: usize = 1100;
    whole::must_be_swapped(order)?;
    small_swap(PAGES)?;
    let family = Family::new(2)?;
    let origin = System::take()?;
    let filler = family.spawn()?;
    filler.large_folios(false)?;
    let len = bytes(PAGES + 100);
    let (prot, flags) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
    );
    let at = filler.map(len, prot, flags, -1)?;
    filler.fill(at, len, 1)?;
    let answer = trigger::request(&Request {
        len: Some(len),
        reclaim: true,
        ..Request::new(filler.pid, at, Path::Kernel)
    })?;
    checks.eq(
        "errno when it fills",
        errno_name(answer.errno),
        "ENOSPC".into(),
    );
    checks.eq("swap used", swaps::used_kb()?, bytes(PAGES) / 1024);
    let shape = shape::exclusive(&family, order, mapping)?;
    let mut seen = Facts::new();
    check_refused(checks, &shape, path, &mut seen)?;
    filler.exit()?;
    check_granted(checks, &shape, path, &mut seen)?;
    course::read_back(checks, &shape)?;
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}

/// The control group may not use so much swap, until it may.
fn limited(
    checks: &mut Checks,
    (order, mapping): (u32, Mapping),
    max: u64,
    path: Path,
) -> Result<Facts, Stop> {
    whole::must_be_swapped(order)?;
    let family = Family::in_cgroup(1, false)?;
    let Some(group) = &family.cgroup else {
        return Err(Stop::Fail("no control group".into()));
    };
    group.set("memory.swap.max", &max.to_string())?;
    let origin = System::take()?;
    let shape = shape::exclusive(&family, order, mapping)?;
    let mut seen = Facts::new();
    check_refused(checks, &shape, path, &mut seen)?;
    group.set("memory.swap.max", "max")?;
    check_granted(checks, &shape, path, &mut seen)?;
    let used = group.number("memory.swap.current")?;
    checks.eq("memory.swap.current", used, shape.folio.len());
    course::read_back(checks, &shape)?;
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}

/// With swap to be had, the folio goes out.
fn check_granted(
    checks: &mut Checks,
    shape: &Shape<'_>,
    path: Path,
    seen: &mut Facts,
) -> Result<(), Stop> {
    checks.context(format!("{path}, granted"));
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, path);
    let answer = trigger::request(&request)?;
    let after = shape.look()?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let unmapped = answer.report.number("unmapped");
    checks.eq("report unmapped", unmapped, Some(shape.folio.pages as u64));
    facts::note(seen, ("granted", true), &shape.folio, &before, &after);
    facts::note_frames(seen, "granted", &after);
    Ok(())
}

/// Turns all swap off; the runner turns it on again. Returns the device of the first area.
fn all_off() -> Result<String, Stop> {
    let areas = swaps::areas()?;
    for area in &areas {
        sys::swapoff(&area.path)?;
    }
    let first = areas.into_iter().next();
    Ok(first
        .ok_or(Stop::Skip("no swap to begin with".into()))?
        .path)
}

fn check(checks: &mut Checks, order: u32, mapping: Mapping) -> Result<(), Stop> {
    each_path(checks, &|checks, path| {
        let family = Family::new(1)?;
        let origin = System::take()?;
        let shape = shape::exclusive(&family, order, mapping)?;
        let mut seen = Facts::new();
        check_refused(checks, &shape, path, &mut seen)?;
        course::read_back(checks, &shape)?;
        course::let_go(checks, shape, &origin)?;
        Ok(seen)
    })
}

fn check_refused(
    checks: &mut Checks,
    shape: &Shape<'_>,
    path: Path,
    seen: &mut Facts,
) -> Result<(), Stop> {
    for reclaim in [false, true] {
        let what = format!("refused, reclaim={}", u8::from(reclaim));
        checks.context(format!("{path}, {what}"));
        let before = shape.look()?;
        let answer = trigger::request(&Request {
            reclaim,
            ..Request::new(shape.subjects[0].pid, shape.folio.address, path)
        })?;
        let after = shape.look()?;
        checks.eq("errno", errno_name(answer.errno), "ENOSPC".into());
        checks.eq("report result", answer.report.get("result"), Some("ENOSPC"));
        for key in ["unmapped", "restored", "reclaimed"] {
            checks.eq(key, answer.report.number(key), Some(0));
        }
        untouched::check(checks, &shape.folio, &before, &after);
        facts::note(seen, (&what, true), &shape.folio, &before, &after);
        facts::note_frames(seen, &what, &after);
    }
    Ok(())
}
