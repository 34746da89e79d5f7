// SPDX-License-Identifier: GPL-2.0

//! Memory with tags (arm64's memory tagging extension): they come back with the content.

use super::course::{self, each_path};
use super::facts::{self, Facts};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, folio, whole, Mapping, Shape};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// `PROT_MTE` (arch/arm64/include/uapi/asm/mman.h).
const PROT_MTE: i32 = 0x20;

/// Folios of one process and of two, left in the swap cache and written out.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (order, mapping, processes) in [
        (0, Mapping::Pte, 1),
        (4, Mapping::Pte, 1),
        (4, Mapping::Pte, 2),
        (mthp::pmd_order(), Mapping::Pmd, 1),
    ] {
        for reclaim in [false, true] {
            let name = format!(
                "mte: {} kB by {mapping:?} in {processes}, reclaim={}",
                bytes(1 << order) / 1024,
                u8::from(reclaim)
            );
            tests.push(Test::new(name, move |checks| {
                each_path(checks, &|checks, path| {
                    run(checks, (path, reclaim), &|family| {
                        tagged(family, order, mapping, processes)
                    })
                })
            }));
        }
    }
    tests
}

/// A folio with tags of a pattern.
fn tagged(
    family: &Family,
    order: u32,
    mapping: Mapping,
    processes: usize,
) -> Result<Shape<'_>, Stop> {
    if !sys::has_mte() {
        return Err(Stop::Skip("no memory tagging here".into()));
    }
    let mut shape = shape::exclusive(family, order, mapping)?;
    let (subject, folio) = (&shape.subjects[0], &shape.folio);
    let prot = libc::PROT_READ | libc::PROT_WRITE | PROT_MTE;
    subject.protect(folio.address, folio.len(), prot)?;
    subject.tag(folio.address, folio.len(), folio::SEED)?;
    for _ in 1..processes {
        shape.subjects.push(shape.subjects[0].fork()?);
    }
    if processes > 1 {
        shape.pages = vec![vec![Some(shape::Page::shared()); shape.folio.pages]; processes];
    }
    shape.proved()
}

fn run(
    checks: &mut Checks,
    (path, reclaim): (Path, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    let family = Family::new(2)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let mut seen = Facts::new();
    let before = shape.look()?;
    let answer = trigger::request(&Request {
        reclaim,
        ..Request::new(shape.subjects[0].pid, folio.address, path)
    })?;
    let after = shape.look()?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);
    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    for (k, subject) in shape.subjects.iter().enumerate() {
        let differs = subject.compare_tags(folio.address, folio.len(), folio::SEED)?;
        checks.eq(
            &format!("first tag of process {k} that differs"),
            differs,
            None,
        );
    }
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}
