// SPDX-License-Identifier: GPL-2.0

//! One failure after the other at all places that a call comes to, allocations of memory included.

use std::fs;

use crate::faults::Nth;
use crate::live;
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::scenario::course;
use crate::scenario::mixed::MASKS;
use crate::shape::{self, bytes, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Request, Trigger};
use crate::verdict::{Checks, Stop};

/// More places than any call comes to.
const MOST: u64 = 500;
/// What a request may fail with when a place does.
const ERRNOS: [i32; 6] = [
    0,
    libc::EBUSY,
    libc::ENOMEM,
    libc::ENOENT,
    libc::EINTR,
    libc::ENOSPC,
];

type Make = dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>;

/// Requests for several folios, and the module's files.
pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("faults-around: the n-th of all: reading", reading),
        Test::new("faults-around: the n-th of all: live", switching),
    ];
    let size = bytes(1 << 4) / 1024;
    let mut add = |name: String, path, make: fn(&Family) -> Result<Shape<'_>, Stop>| {
        let name = format!("faults-around: the n-th of all: {name}, path={path}");
        tests.push(Test::new(name, move |checks| requests(checks, path, &make)));
    };
    for path in Path::BOTH {
        add(
            format!("{size} kB, every second page exclusive"),
            path,
            |f| {
                let (_, mask) = MASKS[2];
                shape::mixed(f, 4, &|i| mask(i, 16), WriteBits::Equal, &|_, _| Ok(()))
            },
        );
    }
    add(format!("{size} kB in 2 processes"), Path::Batched, |f| {
        shape::forked(f, 4, Mapping::Pte, 2)
    });
    if mthp::orders().contains(&2) {
        add(format!("{} kB", bytes(4) / 1024), Path::Batched, |f| {
            shape::exclusive(f, 2, Mapping::Pte)
        });
    }
    tests
}

fn requests(checks: &mut Checks, path: Path, make: &Make) -> Result<(), Stop> {
    let nth = Nth::new()?;
    let mut failed = 0;
    for n in 1..MOST {
        checks.context(format!("failure {n}"));
        let (errno, reached) = one(checks, &nth, n, path, make)?;
        failed += u64::from(errno != 0);
        if !checks.broken().is_empty() {
            return Err(Stop::Fail("no further place is tried after that".into()));
        }
        if !reached {
            checks.eq("errno without a failure", errno_name(errno), "ok".into());
            checks.that(failed > 4, || format!("only {failed} requests failed"));
            return Ok(());
        }
    }
    Err(Stop::Fail("there is no end of places".into()))
}

fn one(
    checks: &mut Checks,
    nth: &Nth,
    n: u64,
    path: Path,
    make: &Make,
) -> Result<(i32, bool), Stop> {
    let family = Family::new(2)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let before = shape.look()?;
    let trigger = Trigger::open()?;
    let text = Request::new(shape.subjects[0].pid, folio.address, path).to_string();
    let write = || nth.during(n, || trigger.write(text.as_bytes()));
    let (errno, reached) = sys::on_another_cpu(write)?;
    let errno = errno?;
    drop(trigger);
    let after = shape.look()?;

    checks.that(ERRNOS.contains(&errno), || {
        format!("errno {}", errno_name(errno))
    });
    let mut left = None;
    for (k, process) in after.processes.iter().enumerate() {
        let lost = |i: usize| process.pages[i].swapped();
        course::check_parts(checks, &shape, k, &lost, (&before, &after));
        let present = process.pages.iter().position(|e| e.present());
        left = left.or(present.map(|i| (shape.subjects[k].pid, folio.page(i))));
    }
    // Where the last page of some process is left, the request has failed.
    checks.eq("whether all is unmapped", left.is_none(), errno == 0);
    if let Some((pid, address)) = left {
        let answer = trigger::request(&Request::new(pid, address, path))?;
        checks.eq("errno of the rest", errno_name(answer.errno), "ok".into());
    }
    course::come_back_and_go(checks, shape, &origin)?;
    Ok((errno, reached))
}

/// Opening and reading a file fails cleanly or not at all.
fn reading(checks: &mut Checks) -> Result<(), Stop> {
    let nth = Nth::new()?;
    for n in 1..MOST {
        let (text, reached) = nth.during(n, || fs::read_to_string(trigger::STATS))?;
        match text {
            Ok(text) => {
                let report = trigger::Report::parse(&text);
                checks.that(report.number("requests").is_some(), || {
                    format!("{n}: {text:?}")
                });
            }
            Err(e) => checks.eq("errno", e.raw_os_error(), Some(libc::ENOMEM)),
        }
        if !reached {
            checks.that(n > 1, || "nothing could fail".into());
            return Ok(());
        }
    }
    Err(Stop::Fail("there is no end of places".into()))
}

/// Live mode is on or off as the switch says, and can always be switched off.
fn switching(checks: &mut Checks) -> Result<(), Stop> {
    let nth = Nth::new()?;
    for on in [true, false] {
        let text = if on { "1" } else { "0" };
        for n in 1..MOST {
            live::set(!on)?;
            let (errno, reached) = nth.during(n, || live::write(text.as_bytes()))?;
            // To open the file can fail, too.
            let errno = errno.unwrap_or_else(|e| e.raw_os_error().unwrap_or(-1));
            let what = format!("failure {n} while live={text} is written");
            checks.that([0, libc::ENOMEM].contains(&errno), || {
                format!("{what}: {}", errno_name(errno))
            });
            let is_on = live::read()? == "1\n";
            checks.eq(&what, is_on, on == (errno == 0));
            let what = format!("redirected after {what}");
            checks.eq(&what, live::redirected()?, is_on);
            if !reached {
                break;
            }
        }
    }
    live::set(false)
}
