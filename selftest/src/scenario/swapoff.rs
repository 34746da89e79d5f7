// SPDX-License-Identifier: GPL-2.0

//! Swap that is turned off when folios have just been unmapped: all of them come back.

use std::time::Duration;

use super::course::{self, each_path};
use super::facts::{self, Facts};
use crate::observe::{mthp, swaps, System};
use crate::runner::Test;
use crate::shape::{self, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// Where swapoff does not find a process that has swap entries, it never ends.
const LIMIT: Duration = Duration::from_secs(20);

type Make = for<'f> fn(&'f Family) -> Result<Shape<'f>, Stop>;

/// Folios in the swap cache and written out, of one process and of two.
pub fn tests() -> Vec<Test> {
    let shapes: [(&str, Make); 5] = [
        ("4 kB", |f| shape::exclusive(f, 0, Mapping::Pte)),
        ("64 kB", |f| shape::exclusive(f, 4, Mapping::Pte)),
        ("2048 kB by PMD", |f| {
            shape::exclusive(f, mthp::pmd_order(), Mapping::Pmd)
        }),
        ("64 kB in 3 processes", |f| {
            shape::forked(f, 4, Mapping::Pte, 3)
        }),
        ("64 kB, every second page exclusive", |f| {
            shape::mixed(f, 4, &|i| i % 2 == 0, WriteBits::Equal, &|_, _| Ok(()))
        }),
    ];
    let mut tests = Vec::new();
    for (name, make) in shapes {
        for reclaim in [false, true] {
            let name = format!("swapoff: {name}, reclaim={}", u8::from(reclaim));
            tests.push(Test::new(name, move |checks| {
                each_path(checks, &|checks, path| run(checks, make, path, reclaim))
            }));
        }
    }
    tests
}

fn run(checks: &mut Checks, make: Make, path: Path, reclaim: bool) -> Result<Facts, Stop> {
    let [area] = &swaps::areas()?[..] else {
        return Err(Stop::Skip("not one swap area".into()));
    };
    let family = Family::new(3)?;
    let origin = System::take()?;
    let mut shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let mut seen = Facts::new();
    let before = shape.look()?;
    let answer = trigger::request(&Request {
        reclaim,
        ..Request::new(shape.subjects[0].pid, folio.address, path)
    })?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    sys::swapoff_within(&area.path, sys::patience(LIMIT))?;
    let back = shape.look()?;
    facts::note(&mut seen, ("back", !reclaim), &folio, &before, &back);
    for (k, (was, now)) in before.processes.iter().zip(&back.processes).enumerate() {
        let what = |field| format!("{field} of process {k}");
        checks.eq(&what("RssAnon"), now.status.rss_anon, was.status.rss_anon);
        checks.eq(&what("VmSwap"), now.status.vm_swap, 0);
        let mapped = shape.pages[k].iter().flatten().count();
        let present = now.pages.iter().filter(|e| e.present()).count();
        checks.eq(&what("pages"), present, mapped);
    }
    swaps::make(&area.path, area.size_kb)?;
    sys::swapon(&area.path)?;

    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    shape.allow_writes()?;
    let faults = course::write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    let written = shape.look()?;
    facts::note(&mut seen, ("written", false), &folio, &before, &written);
    let gone = course::let_go(checks, shape, &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    Ok(seen)
}
