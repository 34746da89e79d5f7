// SPDX-License-Identifier: GPL-2.0

//! Memory that is broken: nothing of its folio is unmapped, and nothing of its content lost.

use std::path::Path as File;
use std::process::Command;

use super::course;
use super::untouched;
use crate::iouring::Ring;
use crate::knobs;
use crate::observe::kpage;
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
            |checks| split(checks, 4),
        ),
        Test::new("hwpoison: a page by itself", |checks| split(checks, 0)),
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
    let shape = shape::exclusive(&family, 4, Mapping::Pte)?;
    // Nobody can split what is pinned.
    ring.pin(&shape.subjects[0], shape.folio.page(0), bytes(1))?;
    let broken = Broken::new(shape.folio.pfn + PAGE as u64)?;
    ring.unpin()?;
    shape.folio.prove()?;
    for path in Path::BOTH {
        for reclaim in [false, true] {
            checks.context(format!("path={path} reclaim={}", u8::from(reclaim)));
            for page in [PAGE, 0] {
                let before = shape.look()?;
                let answer = trigger::request(&Request {
                    reclaim,
                    ..request(&shape, page, path)
                })?;
                checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
                checks.eq("report unmapped", answer.report.number("unmapped"), Some(0));
                untouched::check(checks, &shape.folio, &before, &shape.look()?);
            }
        }
    }
    course::read_back(checks, &shape)?;
    drop(shape);
    drop(broken);
    Ok(())
}

/// The kernel has taken the page away from the process; the others are as good as ever.
fn split(checks: &mut Checks, order: u32) -> Result<(), Stop> {
    let page = (1 << order) / 2;
    for path in Path::BOTH {
        checks.context(path.to_string());
        let family = Family::new(1)?;
        let mut shape = shape::exclusive(&family, order, Mapping::Pte)?;
        let broken = Broken::new(shape.folio.pfn + page as u64)?;
        shape::folio::drain_lists()?;
        let entry = shape.look()?.processes[0].pages[page];
        checks.that(!entry.present(), || {
            "the broken page is still mapped".into()
        });
        let answer = trigger::request(&request(&shape, page, path))?;
        checks.eq("errno", errno_name(answer.errno), "ENOENT".into());
        let answer = trigger::request(&Request {
            len: Some(shape.folio.len()),
            reclaim: true,
            ..request(&shape, 0, path)
        })?;
        let others = shape.folio.pages as u64 - 1;
        let want = if others > 0 { "ok" } else { "ENOENT" };
        checks.eq("errno of all", errno_name(answer.errno), want.into());
        checks.eq(
            "report unmapped",
            answer.report.number("unmapped"),
            Some(others),
        );
        let after = shape.look()?.processes[0].pages[page];
        checks.eq("entry of the broken page", after, entry);
        shape.pages[0][page] = None;
        course::read_back(checks, &shape)?;
        drop(shape);
        drop(broken);
    }
    Ok(())
}
