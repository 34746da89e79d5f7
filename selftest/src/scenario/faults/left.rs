// SPDX-License-Identifier: GPL-2.0

//! What processes have left of a folio when a call failed on the way.

use crate::observe::Snapshot;
use crate::scenario::facts;
use crate::shape::stopped::{self, At, Stopped, Visit};
use crate::shape::Shape;
use crate::verdict::{Checks, Stop};

/// What was expected, in that one of the orders in which processes can be visited that fits what
/// they have lost; if both do, to the number of entries that were put back. `leaves` says what the
/// failure has left of VMAs that are visited in an order.
pub fn fitting(
    shape: &Shape<'_>,
    at: At,
    leaves: &dyn Fn(&[Visit]) -> Stopped,
    (before, after): (&Snapshot, &Snapshot),
    restored: Option<u64>,
) -> Result<Stopped, Stop> {
    let pages = &shape.pages;
    let can = [false, true].map(|reversed| leaves(&stopped::visits(pages, reversed)));
    // What a device has is not present before.
    let lost = |k: usize| {
        let was = before.processes[k].pages.iter();
        let both = was.zip(&after.processes[k].pages);
        both.map(|(was, is)| is.swapped() && is != was)
    };
    let fits = |want: &&Stopped| (0..pages.len()).all(|k| lost(k).eq(want.lost[k].iter().copied()));
    // Where nothing is lost, only what was put back tells the orders apart.
    let exact = can
        .iter()
        .filter(fits)
        .find(|want| Some(want.restored) == restored);
    if let Some(want) = exact.or(can.iter().find(fits)) {
        return Ok(want.clone());
    }
    let slot = facts::first_slot(after);
    let row = |k: usize| facts::row(&after.processes[k].pages, &shape.folio, slot);
    let rows: Vec<_> = (0..pages.len()).map(row).collect();
    let wanted = |k: usize| {
        let letter = |lost: &bool| if *lost { '.' } else { '-' };
        can[0].lost[k].iter().map(letter).collect::<String>()
    };
    let wanted: Vec<_> = (0..pages.len()).map(wanted).collect();
    Err(Stop::Fail(format!(
        "{at:?} leaves {rows:?}, expected {wanted:?}"
    )))
}

/// Each page frame is mapped as often as processes have it left.
pub fn check_counts(checks: &mut Checks, shape: &Shape<'_>, want: &Stopped, after: &Snapshot) {
    let pages = &shape.pages;
    for (i, (_, count)) in after.frames.iter().enumerate() {
        let mapped = (0..pages.len()).filter(|k| pages[*k][i].is_some() && !want.lost[*k][i]);
        checks.eq(
            &format!("mappings of page frame {i}"),
            *count,
            mapped.count() as u64,
        );
    }
}
