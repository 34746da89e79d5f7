// SPDX-License-Identifier: GPL-2.0

//! Folios of which a device has some pages for itself, or has entries as well.

use super::course::{self, each_path, Plan, Via};
use super::facts::{self, Facts};
use super::listening;
use super::untouched;
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::device::device_exclusive;
use crate::shape::{bytes, whole};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

type Mask = fn(usize, usize) -> bool;

const MASKS: [(&str, Mask); 4] = [
    ("every second page", |i, _| i % 2 == 1),
    ("the last page", |i, n| i == n - 1),
    ("all but the first page", |i, _| i > 0),
    ("three in the middle", |i, n| i.abs_diff(n / 2) < 2),
];

/// Every mask on folios of 16 pages and of PMD size; a page that only the device has; pages that it
/// has read.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for order in [4, mthp::pmd_order()] {
        for (mask_name, mask) in MASKS {
            if !mthp::orders().contains(&order) || order > 4 && mask_name.contains("all") {
                continue;
            }
            let size = bytes(1 << order) / 1024;
            let name = format!("device: {size} kB, the device has {mask_name}");
            tests.push(Test::new(name, move |checks| {
                each_path(checks, &|checks, path| run(checks, order, mask, path))
            }));
        }
    }
    tests.push(Test::new("device: no page but the device's", |checks| {
        Path::BOTH.iter().try_for_each(|path| {
            checks.context(path.to_string());
            only_the_device(checks, *path)
        })
    }));
    tests.extend(listening::tests());
    tests
}

fn run(checks: &mut Checks, order: u32, mask: Mask, path: Path) -> Result<Facts, Stop> {
    let pages = 1 << order;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = device_exclusive(&family, order, &|i| mask(i, pages))?;
    whole::must_be_swapped(order)?;
    let folio = shape.folio;
    let plan = Plan::new(Via::Module(path), false);
    let mut seen = Facts::new();
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    let answer = trigger::request(&request)?;
    let after = shape.look()?;
    course::check_report(checks, &shape, &plan, &answer);
    course::check_unmapped(checks, &shape, &plan, &before, &after);
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);
    facts::note_frames(&mut seen, "unmapped", &after);
    if !checks.broken().is_empty() {
        return Err(Stop::Fail("not read back after that".into()));
    }

    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let back = shape.look()?;
    facts::note(&mut seen, ("read back", true), &folio, &before, &back);
    let faults = course::write_all(checks, &shape)?;
    course::check_written(checks, &shape, &back, &shape.look()?, &faults);
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}

/// Where nothing is mapped for the CPU, no folio is found; its content stays.
fn only_the_device(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = device_exclusive(&family, 2, &|_| true)?;
    let folio = shape.folio;
    let pid = shape.subjects[0].pid;
    let before = shape.look()?;
    for len in [None, Some(folio.len())] {
        let answer = trigger::request(&Request {
            len,
            ..Request::new(pid, folio.address, path)
        })?;
        checks.eq("errno", errno_name(answer.errno), "ENOENT".into());
    }
    untouched::check(checks, &folio, &before, &shape.look()?);
    course::read_back(checks, &shape)?;
    Ok(())
}
