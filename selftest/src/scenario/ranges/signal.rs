// SPDX-License-Identifier: GPL-2.0

//! A request that a signal ends.

use std::time::Duration;

use super::area::{in_area, Area};
use crate::scenario::facts::Facts;
use crate::shape::bytes;
use crate::sys::{self, errno_name};
use crate::trigger::{self, Path};
use crate::verdict::{Checks, Stop};

/// How often a signal may come too early or too late.
const ATTEMPTS: usize = 40;

/// What is done by then stays done, and said; the rest is as it was, and can be asked for again.
pub(super) fn signal(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    // How far it comes is not for the paths to say.
    in_area(checks, path, &|checks, area| {
        in_the_middle(checks, area, path)
    })
}

fn in_the_middle(checks: &mut Checks, area: &mut Area<'_, '_>, path: Path) -> Result<(), Stop> {
    // Single pages take the longest; large folios are met on the way.
    for page in (0..Area::PAGES).step_by(8) {
        area.put(page, 2)?;
        for single in 4..8 {
            area.put(page + single, 0)?;
        }
    }
    let all: Vec<usize> = (0..area.folios.len()).collect();
    let area = &*area;
    let everything = || area.request(area.all());

    let mut period = Duration::from_micros(200);
    for _ in 0..ATTEMPTS {
        let (before, count) = (area.entries()?, interrupted()?);
        let answer = sys::alarmed(period, everything)??;
        let ended = answer.errno == libc::EINTR;
        let counted = interrupted()? - count;
        checks.eq("failed_interrupted", counted, u64::from(ended));
        let wanted = if ended { "EINTR" } else { "ok" };
        checks.eq("errno", errno_name(answer.errno), wanted.into());
        checks.eq("report result", answer.report.get("result"), Some(wanted));

        let after = area.entries()?;
        let is_swapped = |i: &usize| {
            let page = (area.folios[*i].address - area.start) / bytes(1);
            after[page as usize].swapped()
        };
        let (done, rest): (Vec<_>, Vec<_>) = all.iter().partition(|i| is_swapped(i));
        checks.eq("done, from the front", &all[..done.len()], &done[..]);
        checks.that(ended || rest.is_empty(), || {
            format!("ok, but {} folios are left", rest.len())
        });
        area.check_swapped(checks, &done)?;
        area.check_report(checks, &answer, (&done, &[]));
        // The rest of the area, or all of it.
        let untouched = rest.first().map_or(Area::PAGES, |i| {
            ((area.folios[*i].address - area.start) / bytes(1)) as usize
        });
        checks.eq(
            "entries of the rest",
            &after[untouched..],
            &before[untouched..],
        );
        if !done.is_empty() && !rest.is_empty() {
            checks.note(format!("{path}: {} of {} folios", done.len(), all.len()));
            // What is in swap is passed over.
            let answer = everything()?;
            checks.eq("errno then", errno_name(answer.errno), "ok".into());
            area.check_report(checks, &answer, (&rest, &[]));
            area.check_swapped(checks, &all)?;
            return area.check_content(checks);
        }
        // The signal came too early, or too late.
        area.check_content(checks)?;
        period = if ended { period * 2 } else { period / 3 };
    }
    Err(Stop::Fail("no signal comes in the middle".into()))
}

/// How many requests a signal has ended.
fn interrupted() -> Result<u64, Stop> {
    let count = trigger::stats()?.number("failed_interrupted");
    count.ok_or_else(|| Stop::Fail("stats has no failed_interrupted".into()))
}
