// SPDX-License-Identifier: GPL-2.0

//! arm64's contpte blocks: entries that share one TLB entry, and that the kernel must unfold before
//! it changes one of them. A batch takes whole blocks without unfolding any.
//!
//! No file shows whether entries are folded. What tells is which functions of
//! arch/arm64/mm/contpte.c a request calls: the one that reads a folded entry, the one that unfolds
//! a block, and the one that clears many entries.

use crate::observe::calls::{Calls, Function};
use crate::observe::{kpage, mthp};
use crate::runner::Test;
use crate::shape::{self, bytes, folio, whole, Mapping, Shape};
use crate::subject::Family;
use crate::sys::{errno_name, page_size};
use crate::trigger::{self, Path, Request};
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

/// How many entries a block has (CONT_PTES); `None` where there are no blocks.
fn block() -> Option<usize> {
    match (cfg!(target_arch = "aarch64"), page_size()) {
        (false, _) => None,
        (_, 0x1000) => Some(16),
        (_, 0x4000) => Some(128),
        _ => Some(32),
    }
}

/// Each kind, of one block, of two, and of a whole page table.
pub fn tests() -> Vec<Test> {
    let one = block().unwrap_or(16).trailing_zeros();
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
            let block = block().ok_or(Stop::Skip("no contpte on this architecture".into()))?;
            for path in Path::BOTH {
                checks.context(path.to_string());
                run(checks, kind, (order, block), path)?;
            }
            Ok(())
        })
    };
    let all = kinds.into_iter().flat_map(with);
    all.filter(possible).map(test).collect()
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

fn run(
    checks: &mut Checks,
    kind: Kind,
    (order, block): (u32, usize),
    path: Path,
) -> Result<(), Stop> {
    let family = Family::new(2)?;
    let shape = make(&family, kind, order)?;
    let folio = shape.folio;
    let calls =
        Calls::watch(&FUNCTIONS).map_err(|e| Stop::Skip(format!("no kprobe events: {e}")))?;
    let answer = trigger::request(&Request::new(shape.subjects[0].pid, folio.address, path))?;
    let taken = calls.taken()?;
    let [read, unfolded, cleared] = &taken[..] else {
        return Err(Stop::Fail("not all functions were watched".into()));
    };

    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let present = shape.look()?.processes[0].pages.iter().any(|e| e.present());
    checks.that(!present, || "not all pages are unmapped".into());
    // The witness: only a folded entry is read by this function.
    checks.that(!read.is_empty(), || "no folded entry was read".into());
    let blocks = folio.pages / block;
    match (path, kind) {
        (Path::Batched, _) => {
            checks.eq("blocks unfolded", unfolded.len(), 0);
            checks.eq(
                "entries cleared at once",
                cleared.clone(),
                vec![folio.pages as u64],
            );
            // A step a block, and a few at the start of the walk.
            checks.that(read.len() <= blocks + 8, || {
                format!("{} folded entries read, for {blocks} blocks", read.len())
            });
            let pages = Some(folio.pages as u64);
            checks.eq("report unmapped", answer.report.number("unmapped"), pages);
            checks.eq("report batches", answer.report.number("batches"), Some(1));
        }
        // The kernel takes lazily freed entries in batches of its own.
        (Path::Kernel, Kind::Lazyfree) => {}
        (Path::Kernel, _) => checks.eq("blocks unfolded", unfolded.len(), blocks),
    }
    Ok(())
}
