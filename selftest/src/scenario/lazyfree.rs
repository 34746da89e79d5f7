// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel may drop: `MADV_FREE` and `MAP_DROPPABLE`.

use std::io::Read;

use super::course::{self, each_path, Plan, Via};
use super::facts::{self, Facts};
use super::untouched;
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::folio::{self, drain_lists};
use crate::shape::{self, bytes, make, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// `MAP_DROPPABLE` (include/uapi/linux/mman.h).
const MAP_DROPPABLE: i32 = 8;

/// Clean, written to since, in use by a pipe, droppable, and of several write bits.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for (order, mapping) in [
        (0, Mapping::Pte),
        (4, Mapping::Pte),
        (pmd, Mapping::Pte),
        (pmd, Mapping::Pmd),
    ] {
        let size = format!("{} kB by {mapping:?}", bytes(1 << order) / 1024);
        for reclaim in [false, true] {
            for (name, make) in [("clean", clean as Make), ("droppable", droppable)] {
                let name = format!("lazyfree: {size}, {name}, reclaim={}", u8::from(reclaim));
                tests.push(Test::new(name, move |checks| {
                    each_path(checks, &|checks, path| {
                        dropped(checks, (path, reclaim), &|f| make(f, order, mapping))
                    })
                }));
            }
        }
        let last = (1 << order) - 1;
        for (name, pages) in [
            ("the first page", vec![0]),
            ("the last page", vec![last]),
            ("all pages", (0..=last).collect()),
        ] {
            if order == 0 && last != pages[0] || order > 4 && pages.len() == 1 {
                continue;
            }
            let name = format!("lazyfree: {size}, {name} written since");
            tests.push(Test::new(name, move |checks| {
                redirtied(checks, &|f| {
                    let shape = clean(f, order, mapping)?;
                    write_again(&shape, &pages)?;
                    Ok(shape)
                })
            }));
        }
        let name = format!("lazyfree: {size}, a page in a pipe");
        tests.push(Test::new(name, move |checks| {
            each_path(checks, &|checks, path| {
                in_use(checks, (order, mapping), path)
            })
        }));
    }
    // CVE-2026-31398: the batch that is put back must not become writable.
    for (name, mask) in [
        ("the first half", (|i| i < 8) as fn(usize) -> bool),
        ("every second page", |i| i % 2 == 0),
    ] {
        let name = format!("lazyfree: 64 kB, {name} writable and written since, the rest shared");
        tests.push(Test::new(name, move |checks| {
            redirtied(checks, &|f| {
                let shape = shape::mixed(f, 4, &mask, WriteBits::Differ, &|_, _| Ok(()))?;
                free(&shape)?;
                write_again(&shape, &[0])?;
                Ok(shape)
            })
        }));
    }
    tests
}

type Make = for<'f> fn(&'f Family, u32, Mapping) -> Result<Shape<'f>, Stop>;

/// A folio that may be dropped.
pub fn clean(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    let shape = shape::exclusive(family, order, mapping)?;
    free(&shape)?;
    Ok(shape)
}

/// Not even clean: it may be dropped all the same.
fn droppable(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    make::exclusive_with(family, order, mapping, MAP_DROPPABLE)
}

/// Lets the kernel drop the folio, and proves that it knows.
fn free(shape: &Shape<'_>) -> Result<(), Stop> {
    let folio = &shape.folio;
    shape.subjects[0].madvise(folio.address, folio.len(), libc::MADV_FREE)?;
    drain_lists()?;
    let seen = shape.look()?;
    match seen
        .frames
        .iter()
        .all(|(flags, _)| !flags.has("swapbacked"))
    {
        true => Ok(()),
        false => Err(Stop::Skip("MADV_FREE did not take the folio".into())),
    }
}

/// Writes what was there before.
fn write_again(shape: &Shape<'_>, pages: &[usize]) -> Result<(), Stop> {
    for i in pages {
        let at = shape.folio.page(*i);
        shape.subjects[0].poke(at, folio::first_byte(at))?;
    }
    Ok(())
}

fn request(shape: &Shape<'_>, path: Path, reclaim: bool) -> Request {
    Request {
        reclaim,
        ..Request::new(shape.subjects[0].pid, shape.folio.address, path)
    }
}

/// A folio that is dropped: no swap, no content.
fn dropped(
    checks: &mut Checks,
    (path, reclaim): (Path, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    let mut seen = Facts::new();
    let before = shape.look()?;
    let answer = trigger::request(&request(&shape, path, reclaim))?;
    let after = shape.look()?;
    facts::note(&mut seen, ("dropped", false), &folio, &before, &after);

    let batched = u64::from(path == Path::Batched);
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    for (key, want) in [
        ("unmapped", folio.pages as u64),
        ("failed", 0),
        ("batches", batched),
        ("runs", batched),
        ("restored", 0),
    ] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
    let (was, now) = (&before.processes[0], &after.processes[0]);
    let left = now.pages.iter().filter(|e| e.present() || e.swapped());
    checks.eq("entries left", left.count(), 0);
    let kb = folio.size_kb() as u64;
    checks.eq("RssAnon", now.status.rss_anon + kb, was.status.rss_anon);
    checks.eq("VmSwap", now.status.vm_swap, was.status.vm_swap);
    checks.eq(
        "swap used",
        after.system.swap_used_kb,
        before.system.swap_used_kb,
    );
    checks.eq("pswpout", after.system.moved(&before.system, "pswpout"), 0);

    for i in [0, folio.pages / 2, folio.pages - 1] {
        checks.eq("content", shape.subjects[0].peek(folio.page(i) + 1)?, 0);
    }
    let gone = course::let_go(checks, shape, &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    Ok(seen)
}

/// A folio that was written to since: refused once, untouched, and then ordinary memory again.
fn redirtied(
    checks: &mut Checks,
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<(), Stop> {
    each_path(checks, &|checks, path| {
        let family = Family::new(2)?;
        let plan = Plan {
            via: Via::Module(path),
            reclaim: false,
            offset: 0,
        };
        let refusal = std::cell::RefCell::new((Checks::default(), Facts::new()));
        let seen = course::run(checks, &plan, &|| {
            let shape = make(&family)?;
            let (checks, seen) = &mut *refusal.borrow_mut();
            refuse_redirtied(checks, &shape, path, seen)?;
            Ok(shape)
        });
        let (refusal, mut all) = refusal.into_inner();
        checks.that(refusal.broken().is_empty(), || refusal.broken().join("\n"));
        all.extend(seen?);
        Ok(all)
    })
}

fn refuse_redirtied(
    checks: &mut Checks,
    shape: &Shape<'_>,
    path: Path,
    seen: &mut Facts,
) -> Result<(), Stop> {
    let before = shape.look()?;
    let answer = trigger::request(&request(shape, path, true))?;
    let after = shape.look()?;
    facts::note(seen, ("refused", true), &shape.folio, &before, &after);
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    for (key, want) in [("unmapped", 0), ("failed", 1), ("reclaimed", 0)] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
    for (k, (was, now)) in before.processes.iter().zip(&after.processes).enumerate() {
        untouched::check_entries(checks, &format!("process {k}"), was, now, &shape.folio);
        untouched::check_counters(checks, &format!("process {k}"), was, now);
    }
    let backed = after
        .frames
        .iter()
        .all(|(flags, _)| flags.has("swapbacked"));
    checks.that(backed, || "the folio may still be dropped".into());
    Ok(())
}

/// A clean folio of which a pipe has a page: it may not be dropped until the pipe is empty.
fn in_use(
    checks: &mut Checks,
    (order, mapping): (u32, Mapping),
    path: Path,
) -> Result<Facts, Stop> {
    let (mut from, to) = sys::pipe()?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = clean(&family, order, mapping)?;
    let folio = shape.folio;
    shape.subjects[0].splice(folio.address, 64, &to)?;
    let mut seen = Facts::new();
    let before = shape.look()?;
    let answer = trigger::request(&request(&shape, path, true))?;
    let after = shape.look()?;
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    checks.eq("report unmapped", answer.report.number("unmapped"), Some(0));
    untouched::check(checks, &folio, &before, &after);
    facts::note(&mut seen, ("refused", true), &folio, &before, &after);
    course::read_back(checks, &shape)?;

    from.read_exact(&mut [0; 64])?;
    let answer = trigger::request(&request(&shape, path, true))?;
    checks.eq(
        "errno when the pipe is empty",
        errno_name(answer.errno),
        "ok".into(),
    );
    let dropped = shape.look()?;
    facts::note(&mut seen, ("dropped", false), &folio, &before, &dropped);
    let left = dropped.processes[0].pages.iter();
    checks.eq(
        "entries left",
        left.filter(|e| e.present() || e.swapped()).count(),
        0,
    );
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}
