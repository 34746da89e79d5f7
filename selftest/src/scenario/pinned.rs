// SPDX-License-Identifier: GPL-2.0

//! Folios of which a page is pinned (FOLL_PIN): refused, and put back bit for bit.
//!
//! A pin is seen for the whole folio, and asked about for exclusive pages only. So each process
//! loses the pages before its first exclusive one, and keeps the rest.

use std::io::{self, Read, Write};

use super::facts::{self, Facts};
use super::mixed::{Mask, MASKS};
use super::{course, untouched};
use crate::iouring::Ring;
use crate::observe::{mthp, Snapshot, System};
use crate::runner::Test;
use crate::shape::{self, bytes, folio, model, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// Wholly exclusive folios x pinned page; mixed folios x write bits; a plain reference.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let offered = mthp::orders();
    let pmd = mthp::pmd_order();
    for (order, mapping) in shape::few_sizes() {
        if !offered.contains(&order) {
            continue;
        }
        for reclaim in [false, true] {
            let mut pins = vec![0, (1 << order) / 2, (1 << order) - 1];
            pins.dedup();
            if order > 4 && reclaim {
                // Nothing gets as far as the reclaim: which page is pinned shows without it.
                pins = vec![(1 << order) / 2];
            }
            for pin in pins {
                add_exclusive(&mut tests, order, mapping, pin, reclaim);
            }
        }
        add_spliced(&mut tests, order, mapping);
    }
    for order in [4, pmd] {
        if !offered.contains(&order) {
            continue;
        }
        for (name, mask) in MASKS {
            for bits in [WriteBits::Equal, WriteBits::Differ] {
                add_mixed(&mut tests, order, (name, mask), bits);
            }
        }
    }
    tests
}

fn add_exclusive(tests: &mut Vec<Test>, order: u32, mapping: Mapping, pin: usize, reclaim: bool) {
    let name = format!(
        "pinned: {} kB by {mapping:?}, page {pin} pinned, reclaim={}",
        bytes(1 << order) / 1024,
        u8::from(reclaim)
    );
    tests.push(Test::new(name, move |checks| {
        both(checks, reclaim, &|family, ring| {
            let shape = shape::exclusive(family, order, mapping)?;
            let at = shape.folio.page(pin);
            ring.pin(&shape.subjects[0], at, bytes(1))?;
            Ok((shape, pin))
        })
    }));
}

fn add_mixed(tests: &mut Vec<Test>, order: u32, (name, mask): (&str, Mask), bits: WriteBits) {
    let pages = 1usize << order;
    let name = format!(
        "pinned: {} kB, {name} exclusive and pinned at its end, write bits {}",
        bytes(pages) / 1024,
        format!("{bits:?}").to_lowercase()
    );
    tests.push(Test::new(name, move |checks| {
        both(checks, false, &|family, ring| {
            let pin = (0..pages).rfind(|i| mask(*i, pages)).unwrap_or(0);
            let shape = shape::mixed(
                family,
                order,
                &|i| mask(i, pages),
                bits,
                &|subject, folio| ring.pin(subject, folio.page(pin), bytes(1)),
            )?;
            Ok((shape, pin))
        })
    }));
}

type Make<'a> = dyn for<'f> Fn(&'f Family, &Ring) -> Result<(Shape<'f>, usize), Stop> + 'a;

/// Runs the course of a pinned folio on both paths, and compares them.
fn both(checks: &mut Checks, reclaim: bool, make: &Make<'_>) -> Result<(), Stop> {
    course::each_path(checks, &|checks, path| {
        let ring = Ring::new()?;
        let family = Family::new(2)?;
        let origin = System::take()?;
        let (shape, pin) = make(&family, &ring)?;
        let pins = Pinned { ring: &ring, pin };
        run(checks, &pins, shape, (path, reclaim, pin), &origin)
    })
}

/// Who has pinned memory of a folio.
pub trait Pins {
    /// The pin and the first process must still have the same memory.
    fn check(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop>;

    /// Lets go of it.
    fn unpin(&self) -> io::Result<()>;
}

/// The course of a folio of which page `pin` is pinned.
pub fn run(
    checks: &mut Checks,
    pins: &dyn Pins,
    mut shape: Shape<'_>,
    (path, reclaim, pin): (Path, bool, usize),
    origin: &System,
) -> Result<Facts, Stop> {
    let folio = shape.folio;
    whole::must_be_swapped(folio.order)?;
    let request = Request {
        reclaim,
        ..Request::new(shape.subjects[0].pid, folio.address, path)
    };
    let mut seen = Facts::new();
    let before = shape.look()?;
    let answer = trigger::request(&request)?;
    let after = shape.look()?;
    check_refused(checks, &shape, path, &before, &after, &answer);
    facts::note(&mut seen, ("refused", true), &folio, &before, &after);
    facts::note_frames(&mut seen, "refused", &after);

    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    shape.allow_writes()?;
    // No shared entry may have become writable (CVE-2026-31398), and no exclusive one may have
    // lost its write bit or the pin its page.
    let faults = course::write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    for (k, pages) in shape.pages.iter().enumerate() {
        let shared = pages.iter().flatten().filter(|p| !p.exclusive).count();
        let what = format!("minor faults of process {k} when it wrote");
        checks.eq(&what, faults[k].minor, shared as u64);
    }
    pins.check(checks, &shape)?;

    pins.unpin()?;
    // Writes have given each process pages of its own, and the folio to the first exclusive page's
    // owner: the same request must now succeed for what is left of it.
    let request = Request {
        address: folio.page(pin),
        ..request
    };
    let answer = trigger::request(&request)?;
    checks.eq("errno when unpinned", errno_name(answer.errno), "ok".into());
    let unpinned = shape.look()?;
    let first = unpinned.processes[0].pages[pin];
    checks.that(first.swapped(), || "page not swapped when unpinned".into());
    facts::note(&mut seen, ("unpinned", false), &folio, &before, &unpinned);
    course::check_own_writes(checks, &shape)?;

    course::let_go(checks, shape, origin)?;
    Ok(seen)
}

/// What each process keeps and loses, and what the report says of it.
fn check_refused(
    checks: &mut Checks,
    shape: &Shape<'_>,
    path: Path,
    before: &Snapshot,
    after: &Snapshot,
    answer: &Answer,
) {
    let folio = &shape.folio;
    let mut counted = model::Expected::default();
    let mut restored = 0;
    for (k, pages) in shape.pages.iter().enumerate() {
        let (was, now) = (&before.processes[k], &after.processes[k]);
        let lost = now.pages.iter().filter(|e| e.swapped()).count();
        match model::refused(pages) {
            Some(refused) => {
                course::check_parts(checks, shape, k, &|i| i < refused.from, (before, after));
                counted.batches += refused.taken.batches;
                counted.runs += refused.taken.runs;
                counted.mappings += refused.taken.mappings;
                restored += refused.restored;
            }
            // Whether the walk came to this process first is for the kernel's tree to say; it must
            // have lost all or nothing.
            None if lost == 0 => {
                untouched::check_entries(checks, &format!("process {k}"), was, now, folio);
            }
            None => {
                course::check_parts(checks, shape, k, &|_| true, (before, after));
                let one = model::expected(std::slice::from_ref(pages));
                counted.batches += one.batches;
                counted.runs += one.runs;
                counted.mappings += one.mappings;
            }
        }
    }
    if counted.mappings == 0 {
        untouched::check(checks, folio, before, after);
    }
    let batched = path == Path::Batched;
    let if_batched = |n| if batched { n } else { 0 };
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    checks.eq("report result", answer.report.get("result"), Some("EBUSY"));
    for (key, want) in [
        ("folios", 1),
        ("pages", folio.pages as u64),
        ("unmapped", counted.mappings),
        ("failed", 1),
        ("batches", if_batched(counted.batches)),
        ("runs", if_batched(counted.runs)),
        ("restored", if_batched(restored)),
        ("reclaimed", 0),
    ] {
        checks.eq(
            &format!("report {key}"),
            answer.report.number(key),
            Some(want),
        );
    }
}

/// A page that is pinned by io_uring.
struct Pinned<'a> {
    ring: &'a Ring,
    pin: usize,
}

impl Pins for Pinned<'_> {
    fn check(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
        let Pinned { ring, pin } = *self;
        let owner = &shape.subjects[0];
        let at = shape.folio.page(pin);
        let (mut from, to) = sys::pipe()?;

        let before = owner.peek(at)?;
        owner.poke(at, before ^ 0xff)?;
        ring.write_out(&to, at, 8)?;
        let mut through = [0; 8];
        from.read_exact(&mut through)?;
        checks.eq("byte seen through the pin", through[0], before ^ 0xff);

        through[0] = before;
        (&to).write_all(&through)?;
        ring.read_in(&from, at, 8)?;
        checks.eq("byte written through the pin", owner.peek(at)?, before);
        Ok(())
    }

    fn unpin(&self) -> io::Result<()> {
        self.ring.unpin()
    }
}

fn add_spliced(tests: &mut Vec<Test>, order: u32, mapping: Mapping) {
    let name = format!(
        "pinned: {} kB by {mapping:?}, page 0 in a pipe (a plain reference blocks nothing)",
        bytes(1 << order) / 1024
    );
    tests.push(Test::new(name, move |checks| {
        course::each_path(checks, &|checks, path| {
            run_spliced(checks, &Family::new(1)?, (order, mapping), path)
        })
    }));
}

fn run_spliced(
    checks: &mut Checks,
    family: &Family,
    (order, mapping): (u32, Mapping),
    path: Path,
) -> Result<Facts, Stop> {
    let (mut from, to) = sys::pipe()?;
    let origin = System::take()?;
    let shape = shape::exclusive(family, order, mapping)?;
    let folio = shape.folio;
    whole::must_be_swapped(order)?;
    shape.subjects[0].splice(folio.address, 64, &to)?;

    let mut seen = Facts::new();
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    let answer = trigger::request(&request)?;
    let after = shape.look()?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let all = after.processes[0].pages.iter().all(|e| e.swapped());
    checks.that(all, || "not all pages are swapped".into());
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);

    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let mut piped = vec![0; 64];
    from.read_exact(&mut piped)?;
    let same = (folio.address..).map(|a| crate::subject::pattern_byte(a, folio::SEED));
    checks.eq("content of the pipe", piped, same.take(64).collect());
    drop((from, to));
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}
