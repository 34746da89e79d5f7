// SPDX-License-Identifier: GPL-2.0

//! Memory that may be dropped, and that the kernel reclaims: live mode off and on, compared.

use crate::cgroup::Cgroup;
use crate::live::{self, Since};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::scenario::course::{self, each_mode, Plan, Via};
use crate::scenario::facts::{self, Facts};
use crate::scenario::lazyfree::{
    check_dropped, clean, droppable, dropped, forked, in_use, redirtied, write_again, Counts, Make,
};
use crate::shape::{bytes, Mapping};
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

/// Clean, written to since, and in use by a pipe, by MADV_PAGEOUT; shared, by memory.reclaim.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for (order, mapping) in [
        (2, Mapping::Pte),
        (4, Mapping::Pte),
        (pmd, Mapping::Pte),
        (pmd, Mapping::Pmd),
    ] {
        if mthp::orders().contains(&order) {
            add(&mut tests, order, mapping);
        }
    }
    let name = format!(
        "live: memory.reclaim, lazily freed, {} kB in 2 processes",
        bytes(1 << 4) / 1024
    );
    tests.push(Test::new(name, |checks| {
        each_mode(checks, &|checks, via| shared(checks, via))
    }));
    tests
}

fn add(tests: &mut Vec<Test>, order: u32, mapping: Mapping) {
    let size = bytes(1 << order) / 1024;
    let name = |what| format!("live: lazily freed, {size} kB by {mapping:?}, {what}");
    let pages = 1 << order;
    // Of what was written to, the kernel does not count that it is freed.
    for (what, make, freed) in [("clean", clean as Make, pages), ("droppable", droppable, 0)] {
        tests.push(Test::new(name(what), move |checks| {
            each_mode(checks, &|checks, via| {
                let seen = dropped(checks, (&Plan::new(via, true), false), &|f| {
                    make(f, order, mapping)
                })?;
                let counted = seen.get("dropped: pglazyfreed").cloned();
                checks.eq("pglazyfreed", counted, Some(freed.to_string()));
                Ok(seen)
            })
        }));
    }
    for (what, written) in [
        ("the first page written since", 0..1),
        ("the last page written since", pages - 1..pages),
        ("the second half written since", pages / 2..pages),
        ("all pages written since", 0..pages),
    ] {
        let written: Vec<_> = written.collect();
        tests.push(Test::new(name(what), move |checks| {
            each_mode(checks, &|checks, via| {
                redirtied(checks, (via, false), &|f| {
                    let shape = clean(f, order, mapping)?;
                    write_again(&shape, &written)?;
                    Ok(shape)
                })
            })
        }));
    }
    tests.push(Test::new(name("a page in a pipe"), move |checks| {
        each_mode(checks, &|checks, via| {
            in_use(checks, (via, false), &|f| clean(f, order, mapping))
        })
    }));
}

/// MADV_PAGEOUT leaves alone what two processes have; reclaim drops it in both.
fn shared(checks: &mut Checks, via: Via) -> Result<Facts, Stop> {
    let cgroup = Cgroup::enter()?;
    let family = Family::new(2)?;
    let origin = System::take()?;
    let shape = forked(&family, 4, Mapping::Pte)?;
    let folio = shape.folio;
    let mut seen = Facts::new();
    let before = shape.look()?;
    live::set(via == Via::Live)?;
    let since = Since::now()?;
    cgroup.reclaim_file()?;
    let after = shape.look()?;
    facts::note(&mut seen, ("dropped", false), &folio, &before, &after);
    Counts::dropped(folio.pages, 2).check(checks, via, None, &since)?;
    check_dropped(checks, &shape, (&before, &after))?;
    let gone = course::let_go(checks, shape, &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    Ok(seen)
}
