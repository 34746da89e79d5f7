// SPDX-License-Identifier: GPL-2.0

//! From an address in a process to a folio that can be unmapped, and what happens to it then.
//!
//! Each step of the way to a locked folio in the swap cache is a type, and dropping it takes the
//! step back. The order is that of reclaim (`mm/vmscan.c: shrink_folio_list()`): isolate, lock,
//! swap space, unmap, TLB flush, unlock, write out.

use crate::{
    control::{
        reason::Reason,
        request::{
            Path,
            Request, //
        },
    },
    sys::{
        fault,
        folio::{
            Folio,
            FolioRef,
            LockedFolio, //
        },
        lru::IsolatedFolio,
        mm::{
            MmUser,
            MmapReadGuard,
            HPAGE_PMD_NR,
            PAGE_SIZE, //
        },
        pagewalk,
        rmap,
        swap::AllocatedSwap,
        tlb,
        vma::Vma, //
    },
    ttu::{
        self,
        flags::TtuFlags,
        tally::Tally, //
    },
};
use core::ops::Range;
use kernel::{
    prelude::*,
    time::{
        Instant,
        Monotonic, //
    },
};

/// What became of a folio.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Pages that the folio has.
    pub(crate) pages: usize,
    /// Page table entries that mapped it and do not any more.
    pub(crate) unmapped: usize,
    /// Pages that were freed.
    pub(crate) reclaimed: usize,
    /// Nanoseconds inside `try_to_unmap()`, the kernel's or ours; nothing before or after it.
    pub(crate) unmap_ns: i64,
    /// What the batched path did.
    pub(crate) tally: Tally,
    /// Why it is not completely unmapped.
    pub(crate) failure: Option<Reason>,
}

/// Looks for the folio at one address.
///
/// # Errors
///
/// [`Reason::Unmapped`] if nothing is mapped there, [`Reason::Unsupported`] if that is not
/// ordinary anonymous memory, [`Reason::Interrupted`] if a fatal signal came first.
pub(crate) fn folio_at(mm: &MmUser, address: usize) -> Result<FolioRef, Reason> {
    let lock = mm
        .mmap_read_lock_killable()
        .map_err(|_| Reason::Interrupted)?;
    let vma = lock
        .find_vma(address)
        .filter(|vma| vma.range().contains(&address))
        .ok_or(Reason::Unmapped)?;
    if !vma.is_anonymous() {
        return Err(Reason::Unsupported);
    }
    let folio = pagewalk::folio_at(&lock, vma, address).ok_or(Reason::Unmapped)?;
    if is_ordinary_anon(&folio) {
        Ok(folio)
    } else {
        Err(Reason::Unsupported)
    }
}

/// Looks for the next folio in a range of addresses, from `range.start` on, which is moved behind
/// the page that was found.
///
/// Anything but ordinary anonymous memory is passed over, and so is the folio with the first frame
/// number `except`, that could not be unmapped before.
///
/// Returns [`None`] when the range is at its end, or at the end of one page table's worth of
/// addresses, so that the caller can look at signals.
///
/// # Errors
///
/// [`Reason::Interrupted`] if a fatal signal came first.
pub(crate) fn next_folio(
    mm: &MmUser,
    range: &mut Range<usize>,
    except: Option<usize>,
) -> Result<Option<FolioRef>, Reason> {
    let lock = mm
        .mmap_read_lock_killable()
        .map_err(|_| Reason::Interrupted)?;
    let Some(vma) = lock.find_vma(range.start) else {
        range.start = range.end;
        return Ok(None);
    };
    let here = vma.range();
    range.start = range.start.max(here.start).min(range.end);
    if range.start == range.end {
        return Ok(None);
    }
    if !vma.is_anonymous() {
        range.start = here.end.min(range.end);
        return Ok(None);
    }
    Ok(next_folio_in_table(&lock, vma, range, except))
}

/// Looks at the entries of one page table.
fn next_folio_in_table(
    lock: &MmapReadGuard<'_>,
    vma: &Vma,
    range: &mut Range<usize>,
    except: Option<usize>,
) -> Option<FolioRef> {
    let table = HPAGE_PMD_NR * PAGE_SIZE;
    let end = (range.start | (table - 1))
        .saturating_add(1)
        .min(vma.range().end)
        .min(range.end);
    if lock.lacks_page_table(vma, range.start) {
        range.start = end;
        return None;
    }
    while range.start < end {
        let folio = pagewalk::folio_at(lock, vma, range.start);
        range.start += PAGE_SIZE;
        if let Some(folio) = folio {
            if is_ordinary_anon(&folio) && except != Some(folio.pfn()) {
                return Some(folio);
            }
        }
    }
    None
}

/// Returns whether the folio is anonymous memory that reclaim would swap out.
fn is_ordinary_anon(folio: &Folio) -> bool {
    folio.is_anon()
        && !folio.is_ksm()
        && !folio.is_hugetlb()
        && !folio.is_zone_device()
        && !folio.is_zero()
}

/// Unmaps one folio from all processes, as `request` says.
///
/// Context: may sleep.
pub(crate) fn unmap_folio(folio: FolioRef, request: &Request) -> Outcome {
    let mut outcome = Outcome {
        pages: folio.nr_pages(),
        ..Default::default()
    };
    match isolate_and_unmap(folio, request, &mut outcome) {
        Ok(folio) if request.reclaim => outcome.reclaimed = folio.reclaim(),
        Ok(_) => {}
        Err(reason) => outcome.failure = Some(reason),
    }
    outcome
}

/// Returns the folio if no page table entry maps it any more.
fn isolate_and_unmap(
    folio: FolioRef,
    request: &Request,
    outcome: &mut Outcome,
) -> Result<IsolatedFolio, Reason> {
    let folio = IsolatedFolio::isolate(folio).ok_or(Reason::NotOnLru)?;
    {
        let locked = LockedFolio::trylock(&folio).ok_or(Reason::Locked)?;
        check_locked(&locked)?;
        // Dropped before the lock, once the folio is unmapped or has failed to be.
        let _swap = match locked.is_swapbacked() && !locked.in_swapcache() {
            true => Some(AllocatedSwap::new(&locked).map_err(|_| Reason::NoSwapSpace)?),
            false => None,
        };
        unmap_locked(&locked, request.path, outcome)?;
    }
    Ok(folio)
}

/// Checks what only the folio lock makes certain.
fn check_locked(folio: &LockedFolio<'_>) -> Result<(), Reason> {
    if !is_ordinary_anon(folio) || fault::FOLIO_CHANGED.should_fail() {
        // It was merged by KSM since it was looked up.
        return Err(Reason::Unsupported);
    }
    if folio.contains_hwpoison() {
        return Err(Reason::Hwpoison);
    }
    // munlock() clears the former at once, the latter only when the folio is back on a list; reclaim
    // takes no folio that has it.
    if folio.is_mlocked() || folio.is_unevictable() {
        return Err(Reason::Mlocked);
    }
    if folio.is_writeback() || fault::FOLIO_WRITEBACK.should_fail() {
        return Err(Reason::Writeback);
    }
    Ok(())
}

/// Unmaps a locked folio with the flags that reclaim would use.
fn unmap_locked(folio: &LockedFolio<'_>, path: Path, outcome: &mut Outcome) -> Result<(), Reason> {
    let mut flags = TtuFlags::BATCH_FLUSH;
    if folio.is_pmd_mappable() {
        flags = flags | TtuFlags::SPLIT_HUGE_PMD;
    }
    if folio.is_large() {
        flags = flags | TtuFlags::SYNC;
    }

    let mapped = folio.nr_mapping_entries();
    // What reading the clock costs is not what is asked for. An interrupt would look like a part
    // of that, but hits only one of two attempts.
    let reading = || Instant::<Monotonic>::now().elapsed();
    let clock = reading().min(reading());
    let start = Instant::<Monotonic>::now();
    match path {
        Path::Batched => ttu::try_to_unmap(folio, flags, &mut outcome.tally),
        Path::Kernel => rmap::kernel_try_to_unmap(folio, flags.bits()),
    }
    outcome.unmap_ns = (start.elapsed() - clock).as_nanos().max(0);
    outcome.unmapped = match path {
        Path::Batched => outcome.tally.unmapped as usize,
        Path::Kernel => mapped.saturating_sub(folio.nr_mapping_entries()),
    };
    tlb::try_to_unmap_flush();

    if folio.is_mapped() {
        Err(outcome.tally.stop.map_or(Reason::StillMapped, Reason::from))
    } else {
        Ok(())
    }
}
