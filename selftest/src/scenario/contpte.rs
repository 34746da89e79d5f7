// SPDX-License-Identifier: GPL-2.0

//! arm64's contpte blocks: entries that share one TLB entry, and that the kernel must unfold before
//! it changes one of them. A batch takes whole blocks without unfolding any.
//!
//! No file shows whether entries are folded. What tells is which functions of
//! arch/arm64/mm/contpte.c a request calls: the one that reads a folded entry, the one that unfolds
//! a block, and the one that clears many entries.

use super::course::{self, each_path};
use super::facts::{self, Facts};
use super::untouched;
use crate::iouring::Ring;
use crate::observe::calls::{Calls, Function};
use crate::observe::{kpage, mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, folio, whole, Mapping, Shape};
use crate::subject::Family;
use crate::sys::{cont_ptes, errno_name};
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

const FUNCTIONS: [Function; 3] = [
    ("contpte_ptep_get", ""),
    ("__contpte_try_unfold", ""),
    ("contpte_get_and_clear_full_ptes", "%x3"),
];

/// What is unmapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// A folio of one process, without swap slots.
    Exclusive,
    /// One in the swap cache, that another process has in swap.
    Swapcached,
    /// One that MADV_FREE lets go: neither path needs swap for it.
    Lazyfree,
}

fn need_blocks() -> Result<usize, Stop> {
    cont_ptes().ok_or(Stop::Skip("no contpte on this architecture".into()))
}

/// Each kind, of one block, of two, and of a whole page table; and a folio that is put back.
pub fn tests() -> Vec<Test> {
    let one = cont_ptes().unwrap_or(16).trailing_zeros();
    let orders = [one, one + 1, mthp::pmd_order()];
    let kinds = [Kind::Exclusive, Kind::Swapcached, Kind::Lazyfree];
    let with = |kind| orders.map(move |order| (kind, order));
    let possible = |(kind, order): &(Kind, u32)| {
        // A folio that a PMD could map is not swapped in whole.
        *kind != Kind::Swapcached || *order < mthp::pmd_order()
    };
    let test = |(kind, order): (Kind, u32)| {
        let kind_name = format!("{kind:?}").to_lowercase();
        let name = format!("contpte: {kind_name}, {} kB", bytes(1 << order) / 1024);
        Test::new(name, move |checks| {
            let block = need_blocks()?;
            each_path(checks, &|checks, path| {
                run(checks, kind, (order, block), path)
            })
        })
    };
    let put_back = |order: u32| {
        let name = format!("contpte: put back, {} kB", bytes(1 << order) / 1024);
        Test::new(name, move |checks| {
            let block = need_blocks()?;
            each_path(checks, &|checks, path| {
                put_back(checks, (order, block), path)
            })
        })
    };
    let all = kinds.into_iter().flat_map(with);
    let unmapped = all.filter(possible).map(test);
    unmapped.chain(orders.map(put_back)).collect()
}

fn make(family: &Family, kind: Kind, order: u32) -> Result<Shape<'_>, Stop> {
    match kind {
        Kind::Swapcached => shape::swapcached(family, order),
        Kind::Exclusive => {
            whole::must_be_swapped(order)?;
            shape::exclusive(family, order, Mapping::Pte)
        }
        Kind::Lazyfree => {
            let shape = shape::exclusive(family, order, Mapping::Pte)?;
            let folio = shape.folio;
            shape.subjects[0].madvise(folio.address, folio.len(), libc::MADV_FREE)?;
            // It waits on a list of its CPU to become lazily freed.
            folio::drain_lists()?;
            match kpage::flags(folio.pfn, 1)?[0].has("swapbacked") {
                false => Ok(shape),
                true => Err(Stop::Skip("MADV_FREE did not work".into())),
            }
        }
    }
}

/// A request, and what the functions were called with.
fn watched(request: &Request) -> Result<(Answer, [Vec<u64>; 3]), Stop> {
    let calls =
        Calls::watch(&FUNCTIONS).map_err(|e| Stop::Skip(format!("no kprobe events: {e}")))?;
    let answer = trigger::request(request)?;
    let taken = calls.taken()?.try_into();
    let taken = taken.map_err(|_| Stop::Fail("not all functions were watched".into()))?;
    Ok((answer, taken))
}

/// The batched path has taken all blocks at once, unfolded none, and read a folded entry a block, and a
/// few at the start of the walk.
fn check_batched(
    checks: &mut Checks,
    (pages, block): (usize, usize),
    answer: &Answer,
    [read, unfolded, cleared]: &[Vec<u64>; 3],
) {
    let blocks = pages / block;
    checks.eq("blocks unfolded", unfolded.len(), 0);
    checks.eq("entries cleared at once", cleared, &vec![pages as u64]);
    checks.that((1..=blocks + 8).contains(&read.len()), || {
        format!("{} folded entries read, for {blocks} blocks", read.len())
    });
    checks.eq("report batches", answer.report.number("batches"), Some(1));
}

fn run(
    checks: &mut Checks,
    kind: Kind,
    (order, block): (u32, usize),
    path: Path,
) -> Result<Facts, Stop> {
    let family = Family::new(2)?;
    let origin = System::take()?;
    let shape = make(&family, kind, order)?;
    let folio = shape.folio;
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    let (answer, taken) = watched(&request)?;
    let after = shape.look()?;

    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let present = after.processes[0].pages.iter().any(|e| e.present());
    checks.that(!present, || "not all pages are unmapped".into());
    let [read, unfolded, _] = &taken;
    // The witness: only a folded entry is read by this function.
    checks.that(!read.is_empty(), || "no folded entry was read".into());
    match (path, kind) {
        (Path::Batched, _) => {
            check_batched(checks, (folio.pages, block), &answer, &taken);
            let pages = Some(folio.pages as u64);
            checks.eq("report unmapped", answer.report.number("unmapped"), pages);
        }
        // The kernel takes lazily freed entries in batches of its own.
        (Path::Kernel, Kind::Lazyfree) => {}
        (Path::Kernel, _) => checks.eq("blocks unfolded", unfolded.len(), folio.pages / block),
    }

    let mut seen = Facts::new();
    // What was let go has no frames any more.
    let frames = kind != Kind::Lazyfree;
    facts::note(&mut seen, ("unmapped", frames), &folio, &before, &after);
    if frames {
        facts::note_frames(&mut seen, "unmapped", &after);
        course::read_back(checks, &shape)?;
    }
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}

/// A folio of which a page is pinned: this path puts back all that it has cleared, and the blocks are
/// folded again. So the same request finds the same once more.
///
/// The kernel's path ends at the first entry. It has unfolded that one's block, and an entry that it
/// puts back alone is folded with others only if it is the last of a block.
fn put_back(checks: &mut Checks, (order, block): (u32, usize), path: Path) -> Result<Facts, Stop> {
    whole::must_be_swapped(order)?;
    let ring = Ring::new()?;
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = shape::exclusive(&family, order, Mapping::Pte)?;
    let folio = shape.folio;
    let last = folio.page(folio.pages - 1);
    ring.pin(&shape.subjects[0], last, bytes(1))?;
    let request = Request::new(shape.subjects[0].pid, folio.address, path);
    let mut seen = Facts::new();
    for (step, unfolded_by_kernel) in [("put back", 1), ("put back again", 0)] {
        checks.context(format!("{path}, {step}"));
        let before = shape.look()?;
        let (answer, taken) = watched(&request)?;
        let after = shape.look()?;
        checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
        untouched::check(checks, &folio, &before, &after);
        match path {
            Path::Batched => {
                check_batched(checks, (folio.pages, block), &answer, &taken);
                let restored = answer.report.number("restored");
                checks.eq("report restored", restored, Some(folio.pages as u64));
            }
            Path::Kernel => checks.eq("blocks unfolded", taken[1].len(), unfolded_by_kernel),
        }
        facts::note(&mut seen, (step, true), &folio, &before, &after);
        facts::note_frames(&mut seen, step, &after);
    }
    course::read_back(checks, &shape)?;
    ring.unpin()?;
    course::let_go(checks, shape, &origin)?;
    Ok(seen)
}
