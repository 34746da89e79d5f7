// SPDX-License-Identifier: GPL-2.0

//! Live mode: the kernel reclaims, and the module unmaps.

mod lazyfree;
mod off;
mod passed;
mod switch;
mod who;

use super::course::{self, each_mode, Plan};
use crate::cgroup::Cgroup;
use crate::knobs;
use crate::live::{self, Since};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

/// The switch, every order by MADV_PAGEOUT, shared folios by memory.reclaim, and lazily freed ones.
pub fn tests() -> Vec<Test> {
    let mut tests = switch::tests();
    tests.push(off::test());
    let pmd = mthp::pmd_order();
    for order in mthp::orders() {
        add_pageout(&mut tests, order, Mapping::Pte);
        if order == pmd {
            add_pageout(&mut tests, order, Mapping::Pmd);
        }
    }
    for processes in [2, 8] {
        let name = format!("live: memory.reclaim, 64 kB in {processes} processes");
        tests.push(Test::new(name, move |checks| {
            reclaimed(checks, &|family| {
                shape::forked(family, 4, Mapping::Pte, processes)
            })
        }));
    }
    for bits in [WriteBits::Equal, WriteBits::Differ] {
        let name = format!("live: memory.reclaim, 64 kB, every second page shared, {bits:?}");
        tests.push(Test::new(name, move |checks| {
            reclaimed(checks, &|family| {
                shape::mixed(family, 4, &|i| i % 2 == 0, bits, &|_, _| Ok(()))
            })
        }));
    }
    tests.extend(lazyfree::tests());
    tests.extend(who::tests());
    tests.extend(passed::tests());
    tests
}

/// A folio that the process gives up by MADV_PAGEOUT, live off and on, compared.
fn add_pageout(tests: &mut Vec<Test>, order: u32, mapping: Mapping) {
    let name = format!(
        "live: MADV_PAGEOUT of {} kB by {mapping:?}",
        bytes(1 << order) / 1024
    );
    tests.push(Test::new(name, move |checks| {
        let family = Family::new(2)?;
        each_mode(checks, &|checks, via| {
            let plan = Plan::new(via, true);
            course::run(checks, &plan, &|| shape::exclusive(&family, order, mapping))
        })
    }));
}

/// A folio that reclaim takes from all processes that share it.
fn reclaimed(
    checks: &mut Checks,
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<(), Stop> {
    let cgroup = Cgroup::enter()?;
    let family = Family::new(8)?;
    let origin = System::take()?;
    let mut shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;

    live::set(true)?;
    let since = Since::now()?;
    cgroup.reclaim_anon()?;
    live::set(false)?;

    let expected = shape.expected();
    // One call for each VMA: where pages were kept from the fork, the child has holes.
    let vmas = (0..shape.subjects.len()).map(|k| shape.spans(k).len() as u64);
    since.check(
        checks,
        &[
            ("live_taken", vmas.sum()),
            ("live_folios", 1),
            ("live_pages", folio.pages as u64),
            ("unmapped", expected.mappings),
            ("batches", expected.batches),
            ("runs", expected.runs),
            ("restored", 0),
            ("failed", 0),
        ],
    )?;
    let after = shape.look()?;
    for (k, process) in after.processes.iter().enumerate() {
        let mapped = shape.pages[k].iter().zip(&process.pages);
        let left = mapped.filter(|(page, entry)| page.is_some() && !entry.swapped());
        checks.eq(
            &format!("pages of process {k} that stayed"),
            left.count(),
            0,
        );
    }
    course::read_back(checks, &shape)?;
    shape.allow_writes()?;
    course::write_all(checks, &shape)?;
    shape.exit()?;
    // Pages of this process went out as well, and have to come back.
    knobs::empty_swap()?;
    course::check_gone(checks, (folio.pfn, folio.pages), &origin)?;
    Ok(())
}
