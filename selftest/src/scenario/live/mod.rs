// SPDX-License-Identifier: GPL-2.0

//! Live mode: the kernel reclaims, and the module unmaps.

mod lazyfree;
mod passed;
mod who;

use std::os::unix::fs::MetadataExt;
use std::thread::{self, sleep};
use std::time::Duration;

use super::course::{self, each_mode, Plan};
use crate::cgroup::Cgroup;
use crate::knobs;
use crate::live::{self, Since, LIVE};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::verdict::{Checks, Stop};

/// What the switch must not understand.
const ODD: [&[u8]; 15] = [
    b"", b"\n", b"2", b"2\n", b"-1", b"01", b"10", b"1 ", b" 1", b"1x", b"on", b"y", b"Y\n", b"\0",
    b"1\n\n",
];

/// The switch, every order by MADV_PAGEOUT, shared folios by memory.reclaim, and lazily freed ones.
pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("live: the file", the_file),
        Test::new("live: neither 0 nor 1", neither),
        Test::new("live: twice the same", twice),
        Test::new("live: three at once, the last one wins", at_once),
    ];
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

fn the_file(checks: &mut Checks) -> Result<(), Stop> {
    let meta = std::fs::metadata(LIVE)?;
    checks.eq("mode", meta.mode() & 0o7777, 0o600);
    checks.eq("owner", (meta.uid(), meta.gid()), (0, 0));
    checks.eq("at first", live::read()?, "0\n".into());
    for text in ["1", "0", "1\n", "0\n"] {
        checks.eq(
            &format!("errno of {text:?}"),
            live::write(text.as_bytes())?,
            0,
        );
        let digit = format!("{}\n", text.trim());
        checks.eq(&format!("read after {text:?}"), live::read()?, digit);
    }
    Ok(())
}

fn neither(checks: &mut Checks) -> Result<(), Stop> {
    for on in [false, true] {
        live::set(on)?;
        let was = live::read()?;
        let long = vec![b'1'; 1 << 20];
        for text in ODD.into_iter().chain([&long[..]]) {
            let what: String = String::from_utf8_lossy(text).chars().take(8).collect();
            let errno = live::write(text)?;
            checks.eq(
                &format!("errno of {what:?}"),
                errno_name(errno),
                errno_name(libc::EINVAL),
            );
            checks.eq(&format!("read after {what:?}"), live::read()?, was.clone());
        }
    }
    live::set(false)
}

/// Switching to what it is already changes nothing, and one switch takes it back.
fn twice(checks: &mut Checks) -> Result<(), Stop> {
    for on in [true, true, false, false, true, false] {
        live::set(on)?;
        checks.eq("redirected", live::redirected()?, on);
    }
    Ok(())
}

/// To switch takes longer than the next one takes to come.
fn at_once(checks: &mut Checks) -> Result<(), Stop> {
    for round in 0..16u32 {
        let wanted = [0, 1, 2].map(|k| (round >> k) & 1 != 0);
        let errnos = thread::scope(|scope| {
            let threads = wanted.map(|on| {
                let text: &[u8] = if on { b"1" } else { b"0" };
                let thread = scope.spawn(move || live::write(text));
                sleep(Duration::from_millis(10));
                thread
            });
            threads.map(|t| t.join().ok().and_then(Result::ok))
        });
        checks.context(format!("{wanted:?}"));
        checks.eq("errnos", errnos, [Some(0); 3]);
        let last = if wanted[2] { "1\n" } else { "0\n" };
        checks.eq("read", live::read()?, last.into());
        checks.eq("redirected", live::redirected()?, wanted[2]);
    }
    live::set(false)
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
            let plan = Plan {
                via,
                reclaim: true,
                offset: 0,
            };
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
