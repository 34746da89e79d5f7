// SPDX-License-Identifier: GPL-2.0

//! The course of most tests: unmap the whole folio, read it back, write to it, let go of it.
//!
//! At every step what is seen is held against what the shape says must be seen. The facts that
//! are returned serve to compare two ways of unmapping.

mod content;
mod gone;
mod parts;
mod unmapped;

use std::io;

use super::facts::{self, Facts};
use crate::live::{self, Since};
use crate::observe::System;
use crate::shape::{whole, Shape};
use crate::subject::Family;
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

use content::check_back;
pub use content::{
    check_own_writes, check_write_faults, check_written, own_seed, read_back, write_all,
};
pub use gone::{check_gone, empty_swap_cache, let_go};
pub use parts::{check_part_entries, check_parts};
use unmapped::check_live;
pub use unmapped::{check_high_water, check_report, check_unmapped, high_water_slack_kb};

/// Who unmaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The module, by either path.
    Module(Path),
    /// `madvise(MADV_PAGEOUT)`: the kernel by itself, without the module.
    Pageout,
    /// The same in live mode: the module, called by the kernel.
    Live,
}

/// One way through the course.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who unmaps.
    pub via: Via,
    /// Whether the folio is written to swap and freed.
    pub reclaim: bool,
    /// The address in the request, as an offset into the folio.
    pub offset: u64,
}

impl Plan {
    /// A way in which a request is for the first byte of the folio.
    pub fn new(via: Via, reclaim: bool) -> Self {
        Plan {
            via,
            reclaim,
            offset: 0,
        }
    }
}

impl Via {
    /// Its name in diagnostics.
    pub fn name(self) -> &'static str {
        match self {
            Via::Module(Path::Kernel) => "kernel",
            Via::Module(Path::Batched) => "batched",
            Via::Pageout => "pageout",
            Via::Live => "live",
        }
    }
}

/// Runs the course on a shape made by `make` for every plan, and compares what was seen.
pub fn compare<'f>(
    checks: &mut Checks,
    plans: &[Plan],
    make: &dyn Fn() -> Result<Shape<'f>, Stop>,
) -> Result<(), Stop> {
    let ways: Vec<_> = plans.iter().map(|plan| (plan.via, *plan)).collect();
    each(checks, &ways, &|checks, plan| run(checks, &plan, make))
}

/// Compares both paths of the module, with requests for the first byte of the folio.
pub fn compare_paths<'f>(
    checks: &mut Checks,
    reclaim: bool,
    make: &dyn Fn() -> Result<Shape<'f>, Stop>,
) -> Result<(), Stop> {
    let plan = |path| Plan::new(Via::Module(path), reclaim);
    compare(checks, &Path::BOTH.map(plan), make)
}

/// Does the same by either path, and compares what was seen.
pub fn each_path(
    checks: &mut Checks,
    run: &dyn Fn(&mut Checks, Path) -> Result<Facts, Stop>,
) -> Result<(), Stop> {
    each(checks, &Path::BOTH.map(|p| (Via::Module(p), p)), run)
}

/// Does the same with live mode off and on, and compares what was seen. `run` switches it.
pub fn each_mode(
    checks: &mut Checks,
    run: &dyn Fn(&mut Checks, Via) -> Result<Facts, Stop>,
) -> Result<(), Stop> {
    let done = each(checks, &[Via::Pageout, Via::Live].map(|v| (v, v)), run);
    live::set(false)?;
    done
}

/// Does the same in several ways, and compares what was seen of each with the next.
fn each<W: Copy>(
    checks: &mut Checks,
    ways: &[(Via, W)],
    run: &dyn Fn(&mut Checks, W) -> Result<Facts, Stop>,
) -> Result<(), Stop> {
    let mut all: Vec<(&str, Facts)> = Vec::new();
    for (via, way) in ways {
        checks.context(via.name());
        all.push((via.name(), run(checks, *way)?));
    }
    checks.context("");
    for pair in all.windows(2) {
        let [(a, x), (b, y)] = pair else { continue };
        facts::agree(checks, (a, x), (b, y));
    }
    Ok(())
}

/// A family of its own control group, whose statistics are looked at as well, or of none: that takes
/// time.
pub fn family(size: usize, charged: bool) -> io::Result<Family> {
    match charged {
        true => Family::in_cgroup(size, true),
        false => Family::new(size),
    }
}

/// Runs the course once.
pub fn run<'f>(
    checks: &mut Checks,
    plan: &Plan,
    make: &dyn Fn() -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    let origin = System::take()?;
    run_on(checks, plan, make()?, &origin)
}

/// Runs the course once on a shape that was not there yet at `origin`.
pub fn run_on(
    checks: &mut Checks,
    plan: &Plan,
    mut shape: Shape<'_>,
    origin: &System,
) -> Result<Facts, Stop> {
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let mut seen = Facts::new();
    let before = shape.look()?;

    let broken = checks.broken().len();
    let since = Since::now()?;
    let answer = unmap(&shape, plan)?;
    let after = shape.look()?;
    if plan.via == Via::Live {
        check_live(checks, &shape, &since)?;
    }
    if let Some(answer) = &answer {
        check_report(checks, &shape, plan, answer);
    }
    check_unmapped(checks, &shape, plan, &before, &after);
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);
    if !plan.reclaim {
        facts::note_frames(&mut seen, "unmapped", &after);
    }

    if checks.broken().len() > broken {
        // To fault in what is wrong can take the whole guest down (BUG_ON() in do_swap_page()),
        // and then nobody learns what was wrong.
        return Err(Stop::Fail("not read back after that".into()));
    }

    let faults = read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let back = shape.look()?;
    check_back(checks, &shape, plan, &before, &back, &faults);
    facts::note(
        &mut seen,
        ("read back", !plan.reclaim),
        &folio,
        &before,
        &back,
    );
    if !plan.reclaim {
        facts::note_frames(&mut seen, "read back", &back);
    }

    shape.allow_writes()?;
    let faults = write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    let written = shape.look()?;
    check_written(checks, &shape, &back, &written, &faults);
    facts::note(&mut seen, ("written", false), &folio, &before, &written);

    let gone = let_go(checks, shape, origin)?;
    facts::note_system(&mut seen, "gone", origin, &gone);
    Ok(seen)
}

/// The rest of the course, for what was unmapped in another way: reads back, writes, lets go.
pub fn come_back_and_go(
    checks: &mut Checks,
    mut shape: Shape<'_>,
    origin: &System,
) -> Result<(), Stop> {
    read_back(checks, &shape)?;
    let back = shape.look()?;
    shape.allow_writes()?;
    let faults = write_all(checks, &shape)?;
    check_written(checks, &shape, &back, &shape.look()?, &faults);
    let_go(checks, shape, origin)?;
    Ok(())
}

/// Has the folio unmapped as `plan` says; the answer is that of a request.
///
/// Live mode is as `plan` wants it afterwards, and otherwise as it was.
pub fn unmap(shape: &Shape<'_>, plan: &Plan) -> Result<Option<Answer>, Stop> {
    let folio = &shape.folio;
    let subject = &shape.subjects[0];
    Ok(match plan.via {
        Via::Pageout | Via::Live => {
            live::set(plan.via == Via::Live)?;
            subject.madvise(folio.address, folio.len(), libc::MADV_PAGEOUT)?;
            None
        }
        Via::Module(path) => Some(trigger::request(&Request {
            reclaim: plan.reclaim,
            ..Request::new(subject.pid, shape.address_of_byte(plan.offset), path)
        })?),
    })
}
