// SPDX-License-Identifier: GPL-2.0

//! Addresses that are not ordinary anonymous memory, or cannot be unmapped now: refused, untouched.

mod targets;

use super::course;
use super::untouched;
use crate::knobs;
use crate::observe::{kpage, pagemap, smaps, Snapshot, System};
use crate::runner::Test;
use crate::shape::{bytes, Folio};
use crate::subject::{Family, Subject};
use crate::sys::{errno_name, page_size};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

pub use targets::page_file;
use targets::{Files, Target, TARGETS};

/// Every target, on both paths, with and without reclaim; what is not ordinary anonymous memory by a
/// length, too.
pub fn tests() -> Vec<Test> {
    let test = |(name, want, make): (&'static str, &'static str, Target)| {
        Test::new(format!("refused: {want}: {name}"), move |checks| {
            run(checks, want, make)
        })
    };
    let mut tests: Vec<Test> = TARGETS.map(test).into();
    tests.push(Test::new("refused: but not the stack", stack));
    tests
}

fn run(checks: &mut Checks, want: &'static str, make: Target) -> Result<(), Stop> {
    let files = Files::open()?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let subject = family.spawn()?;
    let address = make(&subject, &files)?;
    let mut ways = vec![(None, want)];
    if want == "EOPNOTSUPP" {
        // A range is searched for what is ordinary anonymous memory.
        ways.push((Some(1), "ENOENT"));
    }
    for path in Path::BOTH {
        for reclaim in [false, true] {
            for (len, want) in &ways {
                let request = Request {
                    len: *len,
                    reclaim,
                    ..Request::new(subject.pid, address, path)
                };
                let what = format!("path={path} reclaim={} len={len:?}", u8::from(reclaim));
                checks.context(what);
                refuse(checks, &subject, &request, want)?;
            }
        }
    }
    checks.context("");
    subject.exit()?;
    // Whose frame it is when they are gone is not for a process to say.
    course::check_gone(checks, (0, 0), &origin)?;
    Ok(())
}

fn refuse(
    checks: &mut Checks,
    subject: &Subject<'_>,
    request: &Request,
    want: &str,
) -> Result<(), Stop> {
    let before = look(subject, request.address)?;
    let answer = trigger::request(request)?;
    let after = look(subject, request.address)?;
    checks.eq("errno", errno_name(answer.errno), want.into());
    checks.eq("report result", answer.report.get("result"), Some(want));
    for key in ["unmapped", "reclaimed"] {
        checks.eq(key, answer.report.number(key), Some(0));
    }
    untouched::check(checks, &at(request.address, 0), &before, &after);
    Ok(())
}

/// Looks at the page an address lies in, where pagemap has it, and at its frame.
fn look(subject: &Subject<'_>, address: u64) -> Result<Snapshot, Stop> {
    let page = address & !(page_size() as u64 - 1);
    let Ok(entries) = pagemap::read(subject.pid, page, 1) else {
        return Ok(Snapshot::take(&[subject.pid], &[], None)?);
    };
    let frame = entries[0].pfn().filter(|pfn| *pfn != 0).map(|pfn| (pfn, 1));
    // Not all frames of devices have a state to show.
    let frame = frame.filter(|(pfn, n)| kpage::flags(*pfn, *n).is_ok());
    Ok(Snapshot::take(&[subject.pid], &[(page, bytes(1))], frame)?)
}

fn at(address: u64, pfn: u64) -> Folio {
    Folio {
        address,
        pages: 1,
        order: 0,
        pfn,
    }
}

/// The stack is ordinary anonymous memory.
fn stack(checks: &mut Checks) -> Result<(), Stop> {
    for path in Path::BOTH {
        checks.context(path.to_string());
        let family = Family::new(1)?;
        let subject = family.spawn()?;
        let (_, end) = smaps::named(subject.pid, "[stack]")?
            .ok_or(Stop::Skip("this process has no [stack]".into()))?;
        // The last page holds the program's arguments, which a fork has shared; own it.
        let at = end - bytes(1);
        let byte = subject.peek(at + 64)?;
        subject.poke(at + 64, byte)?;
        knobs::write("/proc/sys/vm/drop_caches", "1")?;
        let answer = trigger::request(&Request::new(subject.pid, at, path))?;
        checks.eq("errno", errno_name(answer.errno), "ok".into());
        let entry = pagemap::read(subject.pid, at, 1)?[0];
        checks.that(entry.swapped(), || "the page is not swapped".into());
        checks.eq("content", subject.peek(at + 64)?, byte);
    }
    Ok(())
}
