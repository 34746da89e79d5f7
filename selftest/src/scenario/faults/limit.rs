// SPDX-License-Identifier: GPL-2.0

//! More users of a swap slot than its count in the swap table can tell, and no memory for more.

use crate::faults::Fault;
use crate::knobs;
use crate::live::Since;
use crate::observe::System;
use crate::runner::Test;
use crate::scenario::course::{self, each_path};
use crate::scenario::facts::{self, Facts};
use crate::shape::{self, bytes, whole, Mapping};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// More than any kernel's swap table can count.
const PROCESSES: usize = 40;

/// A page and a folio.
pub fn tests() -> Vec<Test> {
    let test = |order: u32| {
        let size = bytes(1 << order) / 1024;
        let name = format!("faults-around: failslab: {size} kB in {PROCESSES} processes");
        Test::new(name, move |checks| {
            each_path(checks, &|checks, path| run(checks, order, path))
        })
    };
    [0, 4].map(test).into()
}

/// No allocation of this process that cannot wait succeeds while this lives.
struct NoMemory(Fault);

impl NoMemory {
    fn new() -> Result<Self, Stop> {
        let slab = Fault::of_kernel("failslab")?;
        slab.set("ignore-gfp-wait", 1)?;
        slab.set("task-filter", 1)?;
        knobs::write("/proc/self/make-it-fail", "1")?;
        slab.arm(0, -1, 100)?;
        Ok(NoMemory(slab))
    }
}

impl Drop for NoMemory {
    fn drop(&mut self) {
        let _ = self.0.disarm();
        let _ = self.0.set("task-filter", 0);
        let _ = knobs::write("/proc/self/make-it-fail", "0");
    }
}

fn run(checks: &mut Checks, order: u32, path: Path) -> Result<Facts, Stop> {
    let family = Family::new(PROCESSES)?;
    let origin = System::take()?;
    let shape = shape::forked(&family, order, Mapping::Pte, PROCESSES)?;
    whole::must_be_swapped(order)?;
    let folio = shape.folio;
    let before = shape.look()?;
    let since = Since::now()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    let none = NoMemory::new()?;
    let answer = trigger::request(&request)?;
    drop(none);
    let after = shape.look()?;

    let of = |k: usize| {
        after.processes[k]
            .pages
            .iter()
            .filter(|e| e.swapped())
            .count()
    };
    let lost: Vec<_> = (0..PROCESSES).filter(|k| of(*k) != 0).collect();
    for k in 0..PROCESSES {
        let all = lost.contains(&k);
        course::check_parts(checks, &shape, k, &|_| all, (&before, &after));
    }
    checks.that(!lost.is_empty() && lost.len() < PROCESSES, || {
        format!("{} of {PROCESSES} processes lost the folio", lost.len())
    });
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    let pages = folio.pages as u64;
    let batched = path == Path::Batched;
    let unmapped = lost.len() as u64 * pages;
    for (key, want) in [
        ("unmapped", unmapped),
        ("restored", if batched { pages } else { 0 }),
        ("failed", 1),
    ] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
    since.check(checks, &[("failed_swap_count", batched.into())])?;
    let mut seen = Facts::new();
    facts::note(&mut seen, ("no memory", true), &folio, &before, &after);
    facts::note_frames(&mut seen, "no memory", &after);

    let Some(k) = (0..PROCESSES).find(|k| of(*k) == 0) else {
        return Ok(seen);
    };
    let answer = trigger::request(&Request {
        pid: shape.subjects[k].pid,
        ..request
    })?;
    checks.eq("errno of the rest", errno_name(answer.errno), "ok".into());
    let left = answer.report.number("unmapped");
    checks.eq(
        "report unmapped, of the rest",
        left,
        Some(PROCESSES as u64 * pages - unmapped),
    );
    course::read_back(checks, &shape)?;
    course::write_all(checks, &shape)?;
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}
