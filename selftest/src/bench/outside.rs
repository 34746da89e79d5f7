// SPDX-License-Identifier: GPL-2.0

//! What one `madvise(MADV_PAGEOUT)` of a lot of memory costs, live mode off and on.
//!
//! All of reclaim is in it, writing to the swap device as well. The counters of the folio size
//! have to say that each folio had it and went out whole, and those of live mode whose path took
//! it, in how many runs.

use std::time::Instant;

use super::case::Case;
use super::cell::Sample;
use super::{loaded, order_of, Cell, Choice};
use crate::knobs;
use crate::live::{self, Since};
use crate::observe::{mthp, System};
use crate::shape::{bytes, folio, whole, Mapping};
use crate::subject::Family;
use crate::sys::page_size;
use crate::trigger::Path;
use crate::verdict::{Checks, Stop};

/// Fills all cells that were chosen. Without the module, the kernel's path is the only one.
pub fn run(choice: &Choice) -> Result<bool, Stop> {
    let mut good = true;
    for &case in &choice.cases {
        for &kib in &choice.sizes {
            for &path in &choice.paths {
                if loaded() {
                    live::set(path == Path::Batched)?;
                } else if path == Path::Batched {
                    continue;
                }
                good &= fill(case, kib, path, choice);
            }
        }
    }
    if loaded() {
        live::set(false)?;
    }
    Ok(good)
}

fn fill(case: Case, kib: usize, path: Path, choice: &Choice) -> bool {
    let order = order_of(kib);
    let by_pmd = matches!(order, Ok(n) if n == mthp::pmd_order()) && !case.by_page();
    let cell = Cell {
        what: "outside",
        case,
        kib,
        mapping: if by_pmd { Mapping::Pmd } else { Mapping::Pte },
        path,
    };
    match order {
        Ok(0) if case.by_page() => true,
        Ok(order) => {
            let measure = || once(case, order, path, choice.mib << 20);
            cell.fill(choice.repeats, &|| measure().map(drop), &measure)
        }
        Err(stop) => cell.refuse(&stop),
    }
}

/// Pages out `len` bytes of such folios.
fn once(case: Case, order: u32, path: Path, len: u64) -> Result<Sample, Stop> {
    whole::must_be_swapped(order)?;
    let family = Family::new(case.processes() + 1)?;
    let subject = family.spawn()?;
    let at = folio::reserve(&subject, len, libc::MAP_PRIVATE)?;
    let size = bytes(1 << order);
    knobs::only_folios_of((order > 0).then_some(size as usize / 1024))?;
    subject.large_folios(true)?;
    subject.protect(at, len, libc::PROT_READ | libc::PROT_WRITE)?;
    subject.madvise(at, len, libc::MADV_HUGEPAGE)?;
    subject.fill(at, len, folio::SEED)?;
    subject.large_folios(false)?;
    let others = case.make_many(&subject, at, len, size)?;
    folio::drain_lists()?;

    let since = loaded().then(Since::now).transpose()?;
    let before = System::take()?;
    let start = Instant::now();
    subject.madvise(at, len, libc::MADV_PAGEOUT)?;
    let took = start.elapsed();
    let after = System::take()?;

    let pages = len / page_size() as u64;
    let folios = len / size;
    let counter = format!("{}kB/swpout", size / 1024);
    let (moved, want) = match order {
        0 => (after.moved(&before, "pswpout"), pages),
        _ => (after.moved(&before, &counter), folios),
    };
    if moved != want as i64 {
        let why = match moved {
            0 => "MADV_PAGEOUT swaps none of these folios out whole".into(),
            _ => format!("{moved} of {want} folios were swapped out whole"),
        };
        return Err(Stop::Skip(why));
    }
    if let Some(since) = since {
        let ours = match path {
            Path::Batched if order > 0 => folios,
            _ => 0,
        };
        let mut checks = Checks::default();
        since.check(
            &mut checks,
            &[
                ("live_folios", ours),
                ("batches", ours),
                ("runs", ours * case.runs(1 << order)),
            ],
        )?;
        if let Some(broken) = checks.broken().first() {
            return Err(Stop::Fail(broken.clone()));
        }
    }
    for process in others {
        process.exit()?;
    }
    subject.exit()?;
    Ok(Sample {
        ns: took.as_nanos() as u64,
        entries: pages,
    })
}
