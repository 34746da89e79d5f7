// SPDX-License-Identifier: GPL-2.0

//! Failures on the way to the folio: it is not touched.

use crate::faults::Fault;
use crate::live::Since;
use crate::observe::{mthp, Snapshot, System};
use crate::runner::Test;
use crate::scenario::{course, untouched};
use crate::shape::{self, bytes, folio, whole, Folio, Mapping};
use crate::subject::{Family, Subject};
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// A place: its name, the error, the reason that is counted, and whether the kernel's path comes to
/// it as well.
#[derive(Clone, Copy)]
struct Place {
    name: &'static str,
    errno: &'static str,
    reason: &'static str,
    both: bool,
}

impl Place {
    /// The paths that come to it.
    fn paths(&self) -> &'static [Path] {
        match self.both {
            true => &Path::BOTH,
            false => &[Path::Batched],
        }
    }
}

const fn place(name: &'static str, errno: &'static str, reason: &'static str) -> Place {
    Place {
        name,
        errno,
        reason,
        both: true,
    }
}

const PLACES: [Place; 8] = [
    place("fail_mmap_lock", "EINTR", "failed_interrupted"),
    place("fail_folio_walk", "ENOENT", "failed_unmapped_address"),
    place("fail_folio_isolate", "EBUSY", "failed_not_on_lru"),
    place("fail_folio_trylock", "EBUSY", "failed_locked"),
    place("fail_folio_changed", "EOPNOTSUPP", "failed_unsupported"),
    place("fail_folio_writeback", "EBUSY", "failed_writeback"),
    place("fail_alloc_swap", "ENOSPC", "failed_no_swap_space"),
    Place {
        both: false,
        ..place("fail_rmap_walk", "EBUSY", "failed_still_mapped")
    },
];

/// Each place on folios of several sizes, and at each folio of a range.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for place in PLACES {
        for (order, mapping) in [(0, Mapping::Pte), (4, Mapping::Pte), (pmd, Mapping::Pmd)] {
            let size = bytes(1 << order) / 1024;
            let name = format!("faults-around: {}: {size} kB by {mapping:?}", place.name);
            tests.push(Test::new(name, move |checks| {
                for path in place.paths() {
                    checks.context(path.to_string());
                    alone(checks, &place, (order, mapping), *path)?;
                }
                Ok(())
            }));
        }
        let name = format!("faults-around: {}: three folios in a range", place.name);
        tests.push(Test::new(name, move |checks| {
            for path in place.paths() {
                for n in 0..3 {
                    checks.context(format!("{path}, folio {n}"));
                    in_range(checks, &place, n, *path)?;
                }
            }
            Ok(())
        }));
    }
    tests
}

fn alone(
    checks: &mut Checks,
    place: &Place,
    (order, mapping): (u32, Mapping),
    path: Path,
) -> Result<(), Stop> {
    let fault = Fault::of_module(place.name)?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = shape::exclusive(&family, order, mapping)?;
    whole::must_be_swapped(order)?;
    let folio = shape.folio;
    let before = shape.look()?;
    let since = Since::now()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    fault.once_after(0)?;
    let answer = trigger::request(&request)?;
    checks.eq("whether it failed", fault.disarm()?, true);
    checks.eq("errno", errno_name(answer.errno), place.errno.into());
    checks.eq(
        "report result",
        answer.report.get("result"),
        Some(place.errno),
    );
    for key in ["unmapped", "batches", "runs", "restored"] {
        checks.eq(&format!("report {key}"), answer.report.number(key), Some(0));
    }
    since.check(checks, &[(place.reason, 1)])?;
    untouched::check(checks, &folio, &before, &shape.look()?);
    course::read_back(checks, &shape)?;

    let answer = trigger::request(&request)?;
    checks.eq("errno without it", errno_name(answer.errno), "ok".into());
    course::read_back(checks, &shape)?;
    course::let_go(checks, shape, &origin)?;
    Ok(())
}

/// Three folios, one behind the other.
fn three(subject: &Subject<'_>) -> Result<Vec<Folio>, Stop> {
    let len = bytes(1 << 4);
    let start = folio::reserve(subject, 4 * len, libc::MAP_PRIVATE)?;
    let at = |i| Folio::make_at(subject, start + i * len, 4, Mapping::Pte);
    (0..3).map(at).collect()
}

fn look(subject: &Subject<'_>, folio: &Folio) -> Result<Snapshot, Stop> {
    let (span, frames) = ((folio.address, folio.len()), (folio.pfn, folio.pages));
    Ok(Snapshot::take(&[subject.pid], &[span], Some(frames))?)
}

/// The place fails for folio `n` of the range.
fn in_range(checks: &mut Checks, place: &Place, n: u64, path: Path) -> Result<(), Stop> {
    let fault = Fault::of_module(place.name)?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let subject = family.spawn()?;
    let folios = three(&subject)?;
    whole::must_be_swapped(4)?;
    let range = Request {
        len: Some(folios[2].end() - folios[0].address),
        ..Request::new(subject.pid, folios[0].address, path)
    };
    let looks = || folios.iter().map(|folio| look(&subject, folio));
    let before = looks().collect::<Result<Vec<_>, _>>()?;
    fault.once_after(n)?;
    let answer = trigger::request(&range)?;
    checks.eq("whether it failed", fault.disarm()?, true);
    // A signal ends the request; an address where nothing is found is passed over, and its folio
    // is found at the next page.
    let stays: &[u64] = match place.errno {
        "EINTR" => &[0, 1, 2][n as usize..],
        "ENOENT" => &[],
        _ => &[n],
    };
    let errno = if stays.is_empty() { "ok" } else { place.errno };
    checks.eq("errno", errno_name(answer.errno), errno.into());
    let after = looks().collect::<Result<Vec<_>, _>>()?;
    for (i, (was, now)) in before.iter().zip(&after).enumerate() {
        if stays.contains(&(i as u64)) {
            let (who, was_in, now_in) =
                (format!("folio {i}"), &was.processes[0], &now.processes[0]);
            untouched::check_entries(checks, &who, was_in, now_in, &folios[i]);
            untouched::check_frames(checks, was, now);
            continue;
        }
        let swapped = now.processes[0].pages.iter().filter(|e| e.swapped());
        checks.eq(&format!("pages of folio {i} in swap"), swapped.count(), 16);
        let mut frames = now.frames.iter();
        let cached = frames.all(|(flags, count)| *count == 0 && flags.has("swapcache"));
        checks.eq(
            &format!("frames of folio {i} in the swap cache alone"),
            cached,
            true,
        );
    }
    let gone = 3 - stays.len() as u64;
    let unmapped = answer.report.number("unmapped");
    checks.eq("report unmapped", unmapped, Some(gone << 4));

    if !stays.is_empty() {
        let answer = trigger::request(&range)?;
        checks.eq("errno without it", errno_name(answer.errno), "ok".into());
    }
    for folio in &folios {
        let differs = subject.compare(folio.address, folio.len(), folio::SEED)?;
        checks.eq("content", differs, None);
    }
    subject.exit()?;
    for folio in &folios {
        course::check_gone(checks, (folio.pfn, folio.pages), &origin)?;
    }
    Ok(())
}
