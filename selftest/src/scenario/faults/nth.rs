// SPDX-License-Identifier: GPL-2.0

//! One failure after the other at all places that a call comes to, allocations of memory included.

use std::{fs, io};

use super::stops::size;
use crate::faults::Nth;
use crate::live::{self, Since, LIVE};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::scenario::course;
use crate::scenario::mixed::MASKS;
use crate::shape::{self, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path, Report, Request, Trigger};
use crate::verdict::{Checks, Stop};

/// More places than any call comes to.
const MOST: u64 = 500;
/// What a request may fail with when a place does, and the reason that is then counted: on the way
/// to the folio, for want of slots, and on the way back from a folio that is still mapped.
const FAILURES: [(i32, &str); 10] = [
    (libc::EINTR, "failed_interrupted"),
    (libc::ENOENT, "failed_unmapped_address"),
    (libc::EBUSY, "failed_not_on_lru"),
    (libc::EBUSY, "failed_locked"),
    (libc::EOPNOTSUPP, "failed_unsupported"),
    (libc::EBUSY, "failed_writeback"),
    (libc::ENOSPC, "failed_no_swap_space"),
    (libc::EBUSY, "failed_still_mapped"),
    (libc::EBUSY, "failed_pinned"),
    (libc::EBUSY, "failed_swap_count"),
];

/// What is asked for.
#[derive(Clone, Copy)]
struct Ask {
    path: Path,
    /// With the length of the folio.
    range: bool,
}

type Make = dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>;

/// Requests for several folios, and the module's files.
pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("faults-around: the n-th of all: reading", |checks| {
            reading(checks, &|| fs::read_to_string(trigger::STATS))?;
            reading(checks, &|| fs::read_to_string(LIVE))
        }),
        Test::new("faults-around: the n-th of all: reading a report", report),
        Test::new("faults-around: the n-th of all: live", switching),
    ];
    // Each request is made once for each place that it comes to: the folios are small, for what fails
    // at each run of a longer batch is seen elsewhere.
    for path in Path::BOTH {
        for (range, order) in [(false, 3), (true, 2)] {
            let name = format!("{}, every second page exclusive", size(order));
            add(&mut tests, &name, Ask { path, range }, order, move |f| {
                let (_, mask) = MASKS[2];
                let exclusive = |i| mask(i, 1 << order);
                shape::mixed(f, order, &exclusive, WriteBits::Equal, &|_, _| Ok(()))
            });
        }
    }
    let ask = Ask {
        path: Path::Batched,
        range: false,
    };
    let name = format!("{} in 2 processes", size(4));
    add(&mut tests, &name, ask, 4, |f| {
        shape::forked(f, 4, Mapping::Pte, 2)
    });
    add(&mut tests, &size(2), ask, 2, |f| {
        shape::exclusive(f, 2, Mapping::Pte)
    });
    tests
}

fn add(
    tests: &mut Vec<Test>,
    name: &str,
    ask: Ask,
    order: u32,
    make: impl for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop> + 'static,
) {
    if !mthp::orders().contains(&order) {
        return;
    }
    let (len, path) = (if ask.range { "with LEN, " } else { "" }, ask.path);
    let name = format!("faults-around: the n-th of all: {name}, {len}path={path}");
    tests.push(Test::new(name, move |checks| requests(checks, ask, &make)));
}

fn requests(checks: &mut Checks, ask: Ask, make: &Make) -> Result<(), Stop> {
    let nth = Nth::new()?;
    let mut failed = 0;
    for n in 1..MOST {
        checks.context(format!("failure {n}"));
        let (errno, reached) = one(checks, &nth, n, ask, make)?;
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

fn one(checks: &mut Checks, nth: &Nth, n: u64, ask: Ask, make: &Make) -> Result<(i32, bool), Stop> {
    let family = Family::new(2)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let before = shape.look()?;
    let trigger = Trigger::open()?;
    let request = |pid, address| Request::new(pid, address, ask.path);
    let text = Request {
        len: ask.range.then_some(folio.len()),
        ..request(shape.subjects[0].pid, folio.address)
    }
    .to_string();
    let since = Since::now()?;
    let write = || nth.during(n, || trigger.write(text.as_bytes()));
    let (errno, reached) = sys::on_another_cpu(write)?;
    let errno = errno?;
    drop(trigger);
    let after = shape.look()?;

    check_errno(checks, errno, ask, &since)?;
    let mut left = None;
    for (k, process) in after.processes.iter().enumerate() {
        let lost = |i: usize| process.pages[i].swapped();
        course::check_parts(checks, &shape, k, &lost, (&before, &after));
        let present = process.pages.iter().position(|e| e.present());
        left = left.or(present.map(|i| (shape.subjects[k].pid, folio.page(i))));
    }
    // Where the last page of some process is left, the request has failed; and if it is interrupted
    // while it looks for more in a range.
    let all = errno == 0 || ask.range && errno == libc::EINTR && left.is_none();
    checks.eq("whether all is unmapped", left.is_none(), all);
    if let Some((pid, address)) = left {
        let answer = trigger::request(&request(pid, address))?;
        checks.eq("errno of the rest", errno_name(answer.errno), "ok".into());
    }
    course::come_back_and_go(checks, shape, &origin)?;
    Ok((errno, reached))
}

/// A request for which there was no memory has not begun; one that was carried out has failed with
/// the errno of the one reason that is counted, or has not failed at all.
fn check_errno(checks: &mut Checks, errno: i32, ask: Ask, since: &Since) -> Result<(), Stop> {
    let begun = u64::from(errno != libc::ENOMEM);
    since.check(checks, &[("requests", begun)])?;
    let mut counted = Vec::new();
    for (errno, reason) in FAILURES {
        if since.moved(reason)? > 0 {
            counted.push((errno, reason));
        }
    }
    let want = match errno {
        0 | libc::ENOMEM => 0,
        _ => 1,
    };
    checks.that(counted.len() == want, || {
        format!("errno {}, counted {counted:?}", errno_name(errno))
    });
    for (of, reason) in counted {
        checks.eq(reason, errno_name(errno), errno_name(of));
        // The kernel's own path gives no reason, and in a range the folio is found at the next page.
        let never = match (ask.path, reason) {
            (Path::Kernel, "failed_pinned" | "failed_swap_count") => true,
            (_, "failed_unmapped_address") => ask.range,
            _ => false,
        };
        checks.that(!never, || format!("{reason} is counted"));
    }
    Ok(())
}

/// Opening and reading a file fails for want of memory, or says all.
fn reading(checks: &mut Checks, read: &dyn Fn() -> io::Result<String>) -> Result<(), Stop> {
    let nth = Nth::new()?;
    let whole = read()?;
    let mut failed = 0;
    for n in 1..MOST {
        let (text, reached) = nth.during(n, read)?;
        match text {
            Ok(text) => checks.eq(&format!("failure {n}"), &text, &whole),
            Err(e) => {
                failed += 1;
                checks.eq("errno", e.raw_os_error(), Some(libc::ENOMEM));
            }
        }
        if !reached {
            checks.that(failed > 0, || "nothing has failed".into());
            return Ok(());
        }
    }
    Err(Stop::Fail("there is no end of places".into()))
}

/// The report of a request, on the file that it was written to and on a fresh one; the same
/// file says it when there is memory again.
fn report(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = shape::exclusive(&family, 4, Mapping::Pte)?;
    let trigger = Trigger::open()?;
    let (pid, address) = (shape.subjects[0].pid, shape.folio.address);
    trigger.request(&Request::new(pid, address, Path::Batched))?;
    let asked = Report::parse(&trigger.read(4096)?);
    checks.eq("report pid", asked.number("pid"), Some(pid as u64));
    reading(checks, &|| trigger.read(4096))?;
    reading(checks, &|| fs::read_to_string(trigger::UNMAP))?;
    let fresh = Report::parse(&fs::read_to_string(trigger::UNMAP)?);
    checks.eq("report on a fresh file", fresh, asked);
    Ok(())
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
