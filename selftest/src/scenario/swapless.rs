// SPDX-License-Identifier: GPL-2.0

//! No swap, too little of it, or none for large folios: ENOSPC, and everything stays.

use super::untouched;
use crate::observe::{mthp, swaps};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Mapping};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// All, for folios of a few orders.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for (order, mapping) in [
        (0, Mapping::Pte),
        (4, Mapping::Pte),
        (pmd, Mapping::Pte),
        (pmd, Mapping::Pmd),
    ] {
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
                let area = all_off()?;
                swaps::make(&area, bytes(8) / 1024)?;
                sys::swapon(&area)?;
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
    }
    tests
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
    let family = Family::new(1)?;
    let shape = shape::exclusive(&family, order, mapping)?;
    for path in Path::BOTH {
        for reclaim in [false, true] {
            checks.context(format!("path={path} reclaim={}", u8::from(reclaim)));
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
        }
    }
    Ok(())
}
