// SPDX-License-Identifier: GPL-2.0

//! Memory that is broken: nothing of its folio is unmapped, and nothing of its content lost.

use std::path::Path as File;
use std::process::Command;

use super::course::{self, each_path};
use super::facts::{self, Facts};
use super::untouched;
use crate::iouring::Ring;
use crate::knobs;
use crate::observe::{kpage, System};
use crate::runner::Test;
use crate::shape::{self, bytes, Mapping, Shape};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

const POISON: &str = "/sys/kernel/debug/hwpoison/corrupt-pfn";
const UNPOISON: &str = "/sys/kernel/debug/hwpoison/unpoison-pfn";

/// A page of a folio that cannot be split, one of a folio that can, and a folio of one page.
pub fn tests() -> Vec<Test> {
    vec![
        Test::new("hwpoison: a page of a large folio that stays whole", whole),
        Test::new(
            "hwpoison: a page of a large folio that is split",
            |checks| each_path(checks, &|checks, path| split(checks, 4, path)),
        ),
        Test::new("hwpoison: a page by itself", |checks| {
            each_path(checks, &|checks, path| split(checks, 0, path))
        }),
    ]
}

/// Page frames that are broken while this lives.
struct Broken(u64);

impl Broken {
    fn new(pfn: u64) -> Result<Self, Stop> {
        if !File::new(POISON).exists() {
            let loaded = Command::new("modprobe").arg("hwpoison-inject").status();
            if !loaded.is_ok_and(|s| s.success()) {
                return Err(Stop::Skip("no module hwpoison-inject".into()));
            }
        }
        let broken = Broken(pfn);
        // It also fails where the kernel has not got rid of the page; the flag tells.
        let done = knobs::write(POISON, &format!("{pfn:#x}"));
        match kpage::flags(pfn, 1)?[0].has("hwpoison") {
            true => Ok(broken),
            false => Err(Stop::Skip(format!(
                "the page is not taken as broken: {done:?}"
            ))),
        }
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        let _ = knobs::write(UNPOISON, &format!("{:#x}", self.0));
    }
}

fn request(shape: &Shape<'_>, page: usize, path: Path) -> Request {
    Request::new(shape.subjects[0].pid, shape.folio.page(page), path)
}

fn whole(checks: &mut Checks) -> Result<(), Stop> {
    const PAGE: usize = 5;
    let ring = Ring::new()?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = shape::exclusive(&family, 4, Mapping::Pte)?;
    // Nobody can split what is pinned.
    ring.pin(&shape.subjects[0], shape.folio.page(0), bytes(1))?;
    let broken = Broken::new(shape.folio.pfn + PAGE as u64)?;
    ring.unpin()?;
    shape.folio.prove()?;
    let mut seen = Vec::new();
    for path in Path::BOTH {
        let mut facts = Facts::new();
        for reclaim in [false, true] {
            for page in [PAGE, 0] {
                let what = format!("reclaim={} page {page}", u8::from(reclaim));
                checks.context(format!("path={path} {what}"));
                let before = shape.look()?;
                let answer = trigger::request(&Request {
                    reclaim,
                    ..request(&shape, page, path)
                })?;
                let after = shape.look()?;
                checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
                checks.eq("report unmapped", answer.report.number("unmapped"), Some(0));
                untouched::check(checks, &shape.folio, &before, &after);
                facts::note(&mut facts, (&what, true), &shape.folio, &before, &after);
                facts::note_frames(&mut facts, &what, &after);
            }
        }
        seen.push(facts);
    }
    checks.context("");
    facts::agree(checks, ("kernel", &seen[0]), ("batched", &seen[1]));
    course::read_back(checks, &shape)?;
    leave(checks, shape, broken, &origin)
}

/// Ends the process, and only then mends the page.
fn leave(
    checks: &mut Checks,
    shape: Shape<'_>,
    broken: Broken,
    origin: &System,
) -> Result<(), Stop> {
    let folio = shape.folio;
    shape.exit()?;
    drop(broken);
    course::check_gone(checks, (folio.pfn, folio.pages), origin)?;
    Ok(())
}

/// The kernel has taken the page away from the process; the others are as good as ever.
fn split(checks: &mut Checks, order: u32, path: Path) -> Result<Facts, Stop> {
    let page = (1 << order) / 2;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let mut shape = shape::exclusive(&family, order, Mapping::Pte)?;
    let folio = shape.folio;
    let broken = Broken::new(folio.pfn + page as u64)?;
    shape::folio::drain_lists()?;
    let before = shape.look()?;
    let entry = before.processes[0].pages[page];
    checks.that(!entry.present(), || {
        "the broken page is still mapped".into()
    });
    let answer = trigger::request(&request(&shape, page, path))?;
    checks.eq("errno", errno_name(answer.errno), "ENOENT".into());
    let answer = trigger::request(&Request {
        len: Some(folio.len()),
        reclaim: true,
        ..request(&shape, 0, path)
    })?;
    let others = folio.pages as u64 - 1;
    let want = if others > 0 { "ok" } else { "ENOENT" };
    checks.eq("errno of all", errno_name(answer.errno), want.into());
    checks.eq(
        "report unmapped",
        answer.report.number("unmapped"),
        Some(others),
    );
    let after = shape.look()?;
    checks.eq(
        "entry of the broken page",
        after.processes[0].pages[page],
        entry,
    );
    let mut seen = Facts::new();
    facts::note(&mut seen, ("unmapped", false), &folio, &before, &after);
    shape.pages[0][page] = None;
    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    leave(checks, shape, broken, &origin)?;
    Ok(seen)
}
