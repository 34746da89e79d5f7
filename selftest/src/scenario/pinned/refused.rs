// SPDX-License-Identifier: GPL-2.0

//! The course of a folio that is pinned: refused, read, written to, and unmapped when it is let go.

use crate::observe::{Snapshot, System};
use crate::scenario::facts::{self, Facts};
use crate::scenario::{course, untouched};
use crate::shape::{model, whole, Shape};
use crate::sys::errno_name;
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// Who has pinned memory of a folio.
pub trait Pins {
    /// The pin and the first process must still have the same memory.
    fn check(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop>;

    /// Lets go of it.
    fn unpin(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop>;
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
    course::check_write_faults(checks, &shape, &faults);
    pins.check(checks, &shape)?;

    pins.unpin(checks, &shape)?;
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
