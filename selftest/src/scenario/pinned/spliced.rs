// SPDX-License-Identifier: GPL-2.0

//! A page of the folio is in a pipe: a plain reference, which blocks nothing.

use std::io::Read;

use crate::observe::System;
use crate::runner::Test;
use crate::scenario::course;
use crate::scenario::facts::{self, Facts};
use crate::shape::{self, bytes, folio, whole, Mapping};
use crate::subject::{pattern_byte, Family};
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// A test of a folio of this order.
pub(super) fn test(order: u32, mapping: Mapping) -> Test {
    let name = format!(
        "pinned: {} kB by {mapping:?}, page 0 in a pipe (a plain reference blocks nothing)",
        bytes(1 << order) / 1024
    );
    Test::new(name, move |checks| {
        course::each_path(checks, &|checks, path| {
            run(checks, &Family::new(1)?, (order, mapping), path)
        })
    })
}

fn run(
    checks: &mut Checks,
    family: &Family,
    (order, mapping): (u32, Mapping),
    path: Path,
) -> Result<Facts, Stop> {
    let (mut from, to) = sys::pipe()?;
    let origin = System::take()?;
    let shape = shape::exclusive(family, order, mapping)?;
    let folio = shape.folio;
    whole::must_be_swapped(order)?;
    shape.subjects[0].splice(folio.address, 64, &to)?;

    let mut seen = Facts::new();
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    let answer = trigger::request(&request)?;
    let after = shape.look()?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let all = after.processes[0].pages.iter().all(|e| e.swapped());
    checks.that(all, || "not all pages are swapped".into());
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);

    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let mut piped = vec![0; 64];
    from.read_exact(&mut piped)?;
    let same = (folio.address..).map(|a| pattern_byte(a, folio::SEED));
    checks.eq("content of the pipe", piped, same.take(64).collect());
    drop((from, to));
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}
