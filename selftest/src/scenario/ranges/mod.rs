// SPDX-License-Identifier: GPL-2.0

//! Requests with a length: every anonymous folio of a range.

mod area;
mod high_water;
mod signal;

use std::os::fd::AsRawFd;

use super::course::each_path;
use super::facts::Facts;
use super::refused::page_file;
use crate::iouring::Ring;
use crate::observe::pagemap;
use crate::runner::Test;
use crate::shape::bytes;
use crate::sys::errno_name;
use crate::trigger::Path;
use crate::verdict::{Checks, Stop};
use area::in_area;

/// All of them.
pub fn tests() -> Vec<Test> {
    let both = |name, body: fn(&mut Checks, Path) -> Result<Facts, Stop>| {
        Test::new(format!("ranges: {name}"), move |checks| {
            each_path(checks, &body)
        })
    };
    vec![
        both("folios of several orders", several_orders),
        both("ends inside folios", ends_inside),
        both("holes and files in between", holes),
        both("nothing there", nothing),
        both("one of three is pinned", one_pinned),
        both("a signal in the middle", signal::signal),
        both(
            "the high-water mark of the resident set",
            high_water::high_water,
        ),
    ]
}

fn several_orders(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    in_area(checks, path, &|checks, area| {
        for (page, order) in [(0, 4), (16, 2), (20, 0), (21, 0), (24, 3), (32, 5), (64, 6)] {
            area.put(page, order)?;
        }
        let answer = area.request_noted("unmapped", area.all())?;
        checks.eq("errno", errno_name(answer.errno), "ok".into());
        area.check(checks, &answer, (&[0, 1, 2, 3, 4, 5, 6], &[]))?;
        if path == Path::Batched {
            checks.eq("report batches", answer.report.number("batches"), Some(7));
            checks.eq("report runs", answer.report.number("runs"), Some(7));
        }
        Ok(())
    })
}

fn ends_inside(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    in_area(checks, path, &|checks, area| {
        for page in [0, 16, 32, 48] {
            area.put(page, 4)?;
        }
        // From the last byte of the first to the first byte of the third.
        let from = area.folios[0].end() - 1;
        let to = area.folios[2].address + 1;
        let answer = area.request_noted("unmapped", from..to)?;
        checks.eq("errno", errno_name(answer.errno), "ok".into());
        area.check(checks, &answer, (&[0, 1, 2], &[]))
    })
}

fn holes(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    let file = page_file()?;
    in_area(checks, path, &|checks, area| {
        area.put(16, 4)?;
        area.put(64, 4)?;
        let subject = area.subject;
        // Before, between and after them: nothing, unmapped memory, shared memory, and a page of a
        // file of which this process has a copy.
        subject.unmap(area.start, bytes(8))?;
        let shared = (
            "the shared page",
            area.start + bytes(40),
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            u64::MAX,
        );
        let copy = (
            "the copy of a file's page",
            area.start + bytes(44),
            libc::MAP_PRIVATE,
            file.as_raw_fd() as u64,
        );
        for (_, at, flags, fd) in [shared, copy] {
            let prot = (libc::PROT_READ | libc::PROT_WRITE) as u64;
            let flags = (flags | libc::MAP_FIXED) as u64;
            subject.syscall(libc::SYS_mmap, [at, bytes(1), prot, flags, fd, 0])??;
            subject.poke(at, 2)?;
        }
        let answer = area.request_noted("unmapped", area.all())?;
        checks.eq("errno", errno_name(answer.errno), "ok".into());
        for (what, at, ..) in [shared, copy] {
            let entry = pagemap::read(subject.pid, at, 1)?[0];
            checks.that(entry.present(), || format!("{what} was unmapped"));
        }
        area.check(checks, &answer, (&[0, 1], &[]))
    })
}

fn nothing(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    in_area(checks, path, &|checks, area| {
        area.put(64, 4)?;
        let answer = area.request_noted("refused", area.start..area.start + bytes(64))?;
        checks.eq("errno", errno_name(answer.errno), "ENOENT".into());
        area.check(checks, &answer, (&[], &[]))
    })
}

fn one_pinned(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    let ring = Ring::new()?;
    in_area(checks, path, &|checks, area| {
        for page in [0, 16, 32] {
            area.put(page, 4)?;
        }
        let last = area.folios[1].pages - 1;
        ring.pin(area.subject, area.folios[1].page(last), bytes(1))?;
        let answer = area.request_noted("one refused", area.all())?;
        checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
        checks.eq("report result", answer.report.get("result"), Some("EBUSY"));
        area.check(checks, &answer, (&[0, 2], &[1]))?;
        ring.unpin()?;
        let between = area.folios[1].address..area.folios[2].address;
        let answer = area.request_noted("unpinned", between)?;
        checks.eq("errno when unpinned", errno_name(answer.errno), "ok".into());
        Ok(())
    })
}
