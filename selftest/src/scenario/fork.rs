// SPDX-License-Identifier: GPL-2.0

//! Folios shared by fork: one request unmaps them from all processes.

use super::course::{self, compare_paths, each_path};
use super::facts::{self, Facts};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Mapping, Page};
use crate::subject::Family;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// A fork while the folio is in swap: exclusive when it was unmapped, shared when it comes back.
///
/// A page frame that kept PageAnonExclusive would be mapped writable by both, and each would see
/// the other's writes.
fn fork_while_swapped(checks: &mut Checks, order: u32, path: Path) -> Result<Facts, Stop> {
    let family = Family::new(2)?;
    let origin = System::take()?;
    let mut shape = shape::exclusive(&family, order, Mapping::Pte)?;
    let folio = shape.folio;
    whole::must_be_swapped(order)?;
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    checks.eq("errno", trigger::request(&request)?.errno, 0);
    shape.subjects.push(shape.subjects[0].fork()?);
    shape.pages = vec![vec![Some(Page::shared()); folio.pages]; 2];
    let forked = shape.look()?;
    let mut seen = Facts::new();
    facts::note(&mut seen, ("forked", true), &folio, &before, &forked);
    facts::note_frames(&mut seen, "forked", &forked);
    let kb = folio.size_kb() as u64;
    for process in &forked.processes {
        let was = before.processes[0].status.vm_swap;
        checks.eq("VmSwap after the fork", process.status.vm_swap, was + kb);
    }
    let faults = course::read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let back = shape.look()?;
    facts::note(&mut seen, ("read back", true), &folio, &forked, &back);
    facts::note_frames(&mut seen, "read back", &back);
    let faults = course::write_all(checks, &shape)?;
    course::check_write_faults(checks, &shape, &faults);
    let written = shape.look()?;
    facts::note(&mut seen, ("written", false), &folio, &forked, &written);
    let gone = course::let_go(checks, shape, &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    Ok(seen)
}

/// A few orders x 2, 3, 8 and 100 processes.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    // More users than a slot's count in the swap table can tell (mm/swap_table.h).
    for (order, reclaim) in [(0, false), (4, true)] {
        add(&mut tests, order, Mapping::Pte, 100, reclaim);
    }
    let offered = mthp::orders();
    let pmd = mthp::pmd_order();
    for order in [0, 2, 4, pmd] {
        if !offered.contains(&order) {
            continue;
        }
        let name = format!("fork: {} kB, while in swap", bytes(1 << order) / 1024);
        tests.push(Test::new(name, move |checks| {
            each_path(checks, &|checks, path| {
                fork_while_swapped(checks, order, path)
            })
        }));
        for processes in [2, 3, 8] {
            for reclaim in [false, true] {
                if order == pmd && (processes == 3 || reclaim && processes == 8) {
                    continue;
                }
                add(&mut tests, order, Mapping::Pte, processes, reclaim);
                if order == pmd {
                    add(&mut tests, order, Mapping::Pmd, processes, reclaim);
                }
            }
        }
    }
    tests
}

fn add(tests: &mut Vec<Test>, order: u32, mapping: Mapping, processes: usize, reclaim: bool) {
    let name = format!(
        "fork: {} kB by {mapping:?} in {processes} processes, reclaim={}",
        bytes(1 << order) / 1024,
        u8::from(reclaim)
    );
    tests.push(Test::new(name, move |checks| {
        let family = Family::new(2 * processes)?;
        compare_paths(checks, reclaim, &|| {
            shape::forked(&family, order, mapping, processes)
        })
    }));
}
