// SPDX-License-Identifier: GPL-2.0

//! Folios that have swap slots when the request comes: swapped in whole, and still in swap for
//! another process.

use super::course;
use super::facts::{self, Facts};
use crate::observe::{mthp, Snapshot, System};
use crate::runner::Test;
use crate::shape::{self, bytes, Shape};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// Orders below that of a PMD, which the kernel does not swap in whole; with pages of 16 KiB, 7 is
/// a contpte block and 8 are two.
pub fn tests() -> Vec<Test> {
    let pmd = mthp::pmd_order();
    let orders = mthp::orders().into_iter();
    let orders = orders.filter(|o| [2, 4, 5, 7, 8].contains(o) && *o < pmd);
    let both = |order| [false, true].map(|reclaim| (order, reclaim));
    let test = |(order, reclaim): (u32, bool)| {
        let kb = bytes(1 << order) / 1024;
        let name = format!("swapcached: {kb} kB, reclaim={}", u8::from(reclaim));
        Test::new(name, move |checks| {
            course::each_path(checks, &|checks, path| run(checks, order, path, reclaim))
        })
    };
    orders.flat_map(both).map(test).collect()
}

fn run(checks: &mut Checks, order: u32, path: Path, reclaim: bool) -> Result<Facts, Stop> {
    let family = Family::new(2)?;
    let origin = System::take()?;
    let shape = shape::swapcached(&family, order)?;
    let folio = shape.folio;
    let mut seen = Facts::new();
    let before = shape.look()?;
    let answer = trigger::request(&Request {
        reclaim,
        ..Request::new(shape.subjects[0].pid, folio.address, path)
    })?;
    let after = shape.look()?;
    check_report(checks, &shape, (path, reclaim), &answer);
    check_unmapped(checks, &shape, &before, &after);
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);
    if !reclaim {
        facts::note_frames(&mut seen, "unmapped", &after);
    }

    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let faults = course::write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}

/// One batch, of one run: no page of it is exclusive.
fn check_report(
    checks: &mut Checks,
    shape: &Shape<'_>,
    (path, reclaim): (Path, bool),
    answer: &Answer,
) {
    let pages = shape.folio.pages as u64;
    let one = u64::from(path == Path::Batched);
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    for (key, want) in [
        ("folios", 1),
        ("pages", pages),
        ("unmapped", pages),
        ("failed", 0),
        ("batches", one),
        ("runs", one),
        ("restored", 0),
        ("reclaimed", if reclaim { pages } else { 0 }),
    ] {
        let what = format!("report {key}");
        checks.eq(&what, answer.report.number(key), Some(want));
    }
}

/// The first process now refers to the slots that the second has all along, and nothing is written.
fn check_unmapped(checks: &mut Checks, shape: &Shape<'_>, before: &Snapshot, after: &Snapshot) {
    let [now, others] = [0, 1].map(|k| &after.processes[k]);
    let slots = |pages: &[crate::observe::pagemap::Entry]| -> Vec<Option<u64>> {
        pages.iter().map(|e| e.swap_offset()).collect()
    };
    let same = slots(&now.pages) == slots(&others.pages);
    checks.that(same, || {
        let row = facts::row(&now.pages, &shape.folio, facts::first_slot(after));
        format!("not in the slots of the other process: {row}")
    });
    let was = &before.processes[1];
    checks.that(was.pages == others.pages, || "the other changed".into());
    checks.eq(
        "RssAnon of the other",
        others.status.rss_anon,
        was.status.rss_anon,
    );
    checks.eq(
        "VmSwap of the other",
        others.status.vm_swap,
        was.status.vm_swap,
    );
    let was = &before.processes[0].status;
    let kb = shape.folio.size_kb() as u64;
    checks.eq("RssAnon", now.status.rss_anon + kb, was.rss_anon);
    checks.eq("VmSwap", now.status.vm_swap, was.vm_swap + kb);
    let (was, now) = (&before.system, &after.system);
    checks.eq("swap used", now.swap_used_kb, was.swap_used_kb);
    checks.eq("pswpout", now.moved(was, "pswpout"), 0);
    checks.eq("thp_split_page", now.moved(was, "thp_split_page"), 0);
}
