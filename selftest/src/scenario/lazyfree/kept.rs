// SPDX-License-Identifier: GPL-2.0

//! A folio that must not be dropped: it was written to since, or somebody else uses it.
//!
//! With `charged`, the statistics of its processes' control group are looked at as well, which takes time.

use std::io::Read;

use super::Counts;
use crate::live::Since;
use crate::observe::{Snapshot, System};
use crate::scenario::course::{self, Plan, Via};
use crate::scenario::facts::{self, Facts};
use crate::scenario::untouched;
use crate::shape::{whole, Shape};
use crate::subject::Family;
use crate::sys;
use crate::verdict::{Checks, Stop};

fn plan(via: Via, reclaim: bool) -> Plan {
    // The kernel's own reclaim always does.
    Plan::new(via, reclaim || !matches!(via, Via::Module(_)))
}

/// A folio that was written to since: refused once, untouched, and then ordinary memory again,
/// which goes to swap if this kernel swaps such a folio whole.
pub fn redirtied(
    checks: &mut Checks,
    (via, charged): (Via, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    refused_then(
        checks,
        (via, charged),
        make,
        &|checks, shape, origin, seen| {
            if !checks.broken().is_empty() {
                return Err(Stop::Fail("nothing more is done after that".into()));
            }
            if shape.folio.order > 0 && !whole::swapped()? {
                return write_and_go(checks, shape, origin, seen);
            }
            seen.extend(course::run_on(checks, &plan(via, false), shape, origin)?);
            Ok(())
        },
    )
}

/// A folio that was written to since: refused, and at once written to by all who have it. An entry
/// that is writable and should not be is seen by what the others then read.
///
/// So that goes on whatever the refusal has shown: all is still mapped, and nothing comes from swap.
pub fn refused_and_written(
    checks: &mut Checks,
    via: (Via, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    refused_then(checks, via, make, &write_and_go)
}

/// What is done with a folio after it was refused, with what was seen before it was made.
type Then<'a> = &'a dyn Fn(&mut Checks, Shape<'_>, &System, &mut Facts) -> Result<(), Stop>;

fn refused_then(
    checks: &mut Checks,
    (via, charged): (Via, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
    then: Then<'_>,
) -> Result<Facts, Stop> {
    let family = course::family(2, charged)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let mut seen = Facts::new();
    refuse_redirtied(checks, &shape, via, &mut seen)?;
    then(checks, shape, &origin, &mut seen)?;
    Ok(seen)
}

fn write_and_go(
    checks: &mut Checks,
    shape: Shape<'_>,
    origin: &System,
    seen: &mut Facts,
) -> Result<(), Stop> {
    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let faults = course::write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    let gone = course::let_go(checks, shape, origin)?;
    facts::note_system(seen, "gone", origin, &gone);
    Ok(())
}

fn refuse_redirtied(
    checks: &mut Checks,
    shape: &Shape<'_>,
    via: Via,
    seen: &mut Facts,
) -> Result<(), Stop> {
    let (before, after) = refuse(checks, shape, via, "failed_redirtied", seen)?;
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

/// Has it unmapped in vain: what was seen before and after.
fn refuse(
    checks: &mut Checks,
    shape: &Shape<'_>,
    via: Via,
    reason: &'static str,
    seen: &mut Facts,
) -> Result<(Snapshot, Snapshot), Stop> {
    let before = shape.look()?;
    let since = Since::now()?;
    let answer = course::unmap(shape, &plan(via, true))?;
    let after = shape.look()?;
    facts::note(seen, ("refused", true), &shape.folio, &before, &after);
    facts::note_frames(seen, "refused", &after);
    if let Some(answer) = &answer {
        let reclaimed = answer.report.number("reclaimed");
        checks.eq("report reclaimed", reclaimed, Some(0));
    }
    // It stops at the first batch, which is put back.
    let counts = Counts {
        visits: 1,
        batches: 1,
        restored: shape.first_batch() as u64,
        failure: Some(reason),
        ..Counts::default()
    };
    counts.check(checks, via, answer.as_ref(), &since)?;
    Ok((before, after))
}

/// A clean folio of which a pipe has a page: it may not be dropped until the pipe is empty.
pub fn in_use(
    checks: &mut Checks,
    (via, charged): (Via, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    let (mut from, to) = sys::pipe()?;
    let family = course::family(1, charged)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    shape.subjects[0].splice(folio.address, 64, &to)?;
    let mut seen = Facts::new();
    let (before, after) = refuse(checks, &shape, via, "failed_extra_references", &mut seen)?;
    untouched::check(checks, &folio, &before, &after);
    course::read_back(checks, &shape)?;

    from.read_exact(&mut [0; 64])?;
    let since = Since::now()?;
    let answer = course::unmap(&shape, &plan(via, true))?;
    let dropped = shape.look()?;
    Counts::dropped(folio.pages, 1).check(checks, via, answer.as_ref(), &since)?;
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
