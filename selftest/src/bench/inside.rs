// SPDX-License-Identifier: GPL-2.0

//! What one `try_to_unmap()` costs.
//!
//! Each measurement is one request on a folio just made. The module reads the clock right before
//! and after the call. The first folio of a cell goes all the way that those of the tests go: only
//! if all is as it must be there, of that order, exclusive or not, the others are measured.

use super::case::Case;
use super::cell::Sample;
use super::{order_of, quiet, Cell, Choice};
use crate::observe::mthp;
use crate::scenario::course::{self, Plan, Via};
use crate::shape::{whole, Mapping};
use crate::subject::Family;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// Fills all cells that were chosen.
pub fn run(choice: &Choice) -> bool {
    let mut good = true;
    for &case in &choice.cases {
        for &kib in &choice.sizes {
            for &mapping in mappings(case, kib) {
                for &path in &choice.paths {
                    let cell = Cell {
                        what: "inside",
                        case,
                        kib,
                        mapping,
                        path,
                    };
                    good &= fill(&cell, choice.repeats);
                }
            }
        }
    }
    good
}

/// The ways in which a page table maps such a folio.
fn mappings(case: Case, kib: usize) -> &'static [Mapping] {
    match order_of(kib) {
        Ok(0) if case.by_page() => &[],
        Ok(order) if order == mthp::pmd_order() && !case.by_page() => &[Mapping::Pte, Mapping::Pmd],
        _ => &[Mapping::Pte],
    }
}

fn fill(cell: &Cell, repeats: usize) -> bool {
    match order_of(cell.kib) {
        Ok(order) => cell.fill(repeats, &|| prove(cell, order), &|| once(cell, order)),
        Err(stop) => cell.refuse(&stop),
    }
}

fn plan(path: Path) -> Plan {
    Plan::new(Via::Module(path), false)
}

/// Unmaps such a folio as the tests do.
fn prove(cell: &Cell, order: u32) -> Result<(), Stop> {
    whole::must_be_swapped(order)?;
    let family = Family::new(cell.case.processes() + 1)?;
    let mut checks = Checks::default();
    let make = || cell.case.make(&family, order, cell.mapping);
    let done = course::run(&mut checks, &plan(cell.path), &make);
    first_broken(&checks).and(done.map(drop))
}

/// Unmaps one folio.
fn once(cell: &Cell, order: u32) -> Result<Sample, Stop> {
    let family = Family::new(cell.case.processes() + 1)?;
    let shape = cell.case.make(&family, order, cell.mapping)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, cell.path);
    quiet::drift();
    let answer = trigger::request(&request)?;
    let mut checks = Checks::default();
    course::check_report(&mut checks, &shape, &plan(cell.path), &answer);
    first_broken(&checks)?;
    shape.exit()?;
    match ["unmap_ns", "unmapped"].map(|key| answer.report.number(key)) {
        [Some(ns), Some(entries)] => Ok(Sample { ns, entries }),
        _ => Err(Stop::Fail("the report has no unmap_ns".into())),
    }
}

fn first_broken(checks: &Checks) -> Result<(), Stop> {
    match checks.broken().first() {
        Some(broken) => Err(Stop::Fail(broken.clone())),
        None => Ok(()),
    }
}
