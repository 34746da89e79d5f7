// SPDX-License-Identifier: GPL-2.0

//! Finding the page table entries that map a folio in one VMA.
//!
//! C header: [`include/linux/rmap.h`](srctree/include/linux/rmap.h)
//! (`struct page_vma_mapped_walk`)

use super::{
    bindings,
    cleared::ClearedPtes,
    fault,
    folio::LockedFolio,
    mm::{
        Mm,
        PAGE_SIZE, //
    },
    mmu_notifier::Invalidation,
    page::{
        Page,
        Pages, //
    },
    pte::Pte,
    vma::Vma, //
};
use crate::ttu::batch::BatchLen;
use core::{
    marker::PhantomData,
    mem::MaybeUninit, //
};
use kernel::types::NotThreadSafe;

/// Room for what a [`VmaWalk`] hands to the kernel.
///
/// Apart from the walk, so that the rest of that can stay in registers.
pub(crate) struct WalkMemory(MaybeUninit<bindings::page_vma_mapped_walk>);

impl WalkMemory {
    #[inline]
    pub(crate) fn new() -> Self {
        Self(MaybeUninit::uninit())
    }
}

/// A walk over the entries that map a folio in a VMA.
///
/// Between a call of [`VmaWalk::next`] that found something and the following one, the page table
/// lock is held; what is found borrows the walk, so that it cannot be used without the lock.
///
/// # Invariants
///
/// `pvmw` is initialised for `folio` and `vma`. The page table lock is held, and `pvmw` describes
/// an entry that maps the folio, if and only if `found` is set.
pub(crate) struct VmaWalk<'a> {
    pvmw: &'a mut bindings::page_vma_mapped_walk,
    folio: &'a LockedFolio<'a>,
    vma: &'a Vma,
    found: bool,
    // Dropped after the walk has let go of the page table lock: its end may sleep.
    _invalidation: Invalidation<'a>,
    _nts: NotThreadSafe,
}

impl<'a> VmaWalk<'a> {
    /// Prepares a walk that begins at `address`, where the folio would be mapped in `vma`, and
    /// announces to secondary MMUs that its entries are going to change.
    ///
    /// With `sync`, empty entries are looked at under the lock as well, so that an entry that
    /// another CPU is just changing is not missed (`PVMW_SYNC`).
    ///
    /// Context: may sleep.
    #[inline]
    pub(crate) fn new(
        memory: &'a mut WalkMemory,
        folio: &'a LockedFolio<'_>,
        vma: &'a Vma,
        address: usize,
        sync: bool,
    ) -> Self {
        let flags = if sync { bindings::PVMW_SYNC } else { 0 };
        let pvmw = memory.0.as_mut_ptr();
        // SAFETY: `pvmw` has room for the object, and folio and area are alive.
        let (pvmw, end) = unsafe {
            bindings::page_vma_mapped_walk_init(pvmw, folio.as_ptr(), vma.as_ptr(), address, flags);
            let end = bindings::vma_address_end(pvmw);
            (memory.0.assume_init_mut(), end)
        };
        // INVARIANT: Just initialised; no lock is held yet.
        Self {
            pvmw,
            folio,
            vma,
            found: false,
            _invalidation: Invalidation::start(vma.mm(), address..end),
            _nts: NotThreadSafe,
        }
    }

    /// Goes on to the next entry that maps the folio (`page_vma_mapped_walk()`).
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Mapping<'_, 'a>> {
        if fault::VMA_WALK.should_fail() {
            return None;
        }
        // SAFETY: By the type invariants `pvmw` is initialised and its lock is as it says.
        // INVARIANT: The function holds the lock if and only if it returns true.
        self.found = unsafe { bindings::page_vma_mapped_walk(self.pvmw) };
        self.found.then_some(Mapping { walk: self })
    }
}

impl Drop for VmaWalk<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.found {
            // SAFETY: By the type invariants the page table lock is held, and ours to release.
            unsafe { bindings::page_vma_mapped_walk_done(self.pvmw) }
        }
    }
}

/// A mapping of the folio, with the page table lock held.
///
/// # Invariants
///
/// `walk.found` is set.
pub(crate) struct Mapping<'w, 'a> {
    walk: &'w mut VmaWalk<'a>,
}

/// The level of the page tables that a mapping is at.
pub(crate) enum Level<'w, 'a> {
    /// One entry of a page table maps one page.
    Pte(PteMapping<'w, 'a>),
    /// One entry of a page middle directory maps the whole folio.
    Pmd(PmdMapping<'w, 'a>),
}

impl<'w, 'a> Mapping<'w, 'a> {
    /// Returns whether page table entries map the folio here, and not one of a higher level.
    pub(crate) fn is_pte(&self) -> bool {
        !self.walk.pvmw.pte.is_null()
    }

    /// Returns how many pages the walk looks for.
    pub(crate) fn nr_pages(&self) -> usize {
        self.walk.pvmw.nr_pages
    }

    /// Returns whether the walk went on into another page table (`PVMW_PGTABLE_CROSSED`), whose
    /// lock does not protect what was seen before.
    pub(crate) fn crossed_pgtable(&self) -> bool {
        self.walk.pvmw.flags & bindings::PVMW_PGTABLE_CROSSED != 0
    }

    /// Tells the levels apart.
    pub(crate) fn level(self) -> Level<'w, 'a> {
        if self.is_pte() {
            // INVARIANT: Just checked.
            Level::Pte(PteMapping { walk: self.walk })
        } else {
            // INVARIANT: An entry was found, and it is not one of a page table.
            Level::Pmd(PmdMapping { walk: self.walk })
        }
    }
}

/// A mapping of the folio by an entry of a page middle directory.
///
/// # Invariants
///
/// `walk.found` is set, and `walk.pvmw.pmd` maps the folio.
pub(crate) struct PmdMapping<'w, 'a> {
    walk: &'w mut VmaWalk<'a>,
}

impl PmdMapping<'_, '_> {
    /// Replaces the entry with a page table of entries that map the same pages
    /// (`split_huge_pmd_locked()`), and lets the walk find those next.
    pub(crate) fn split(self) {
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the entry maps the folio at this
        // address. Restarting the walk releases the lock.
        unsafe {
            bindings::split_huge_pmd_locked(
                walk.vma.as_ptr(),
                walk.pvmw.address,
                walk.pvmw.pmd,
                false,
            );
            bindings::page_vma_mapped_walk_restart(walk.pvmw);
        }
        // INVARIANT: The lock was just released.
        walk.found = false;
    }
}

/// A mapping of one page of the folio by a page table entry.
///
/// # Invariants
///
/// `walk.found` is set, and `walk.pvmw.pte` points to the entry for `walk.pvmw.address`, in a page
/// table whose lock is held.
pub(crate) struct PteMapping<'w, 'a> {
    walk: &'w mut VmaWalk<'a>,
}

impl<'w, 'a> PteMapping<'w, 'a> {
    /// Returns the address that the entry translates.
    #[inline]
    fn address(&self) -> usize {
        self.walk.pvmw.address
    }

    /// Returns the VMA that the entry belongs to.
    pub(crate) fn vma(&self) -> &'a Vma {
        self.walk.vma
    }

    /// Returns how many entries from this one on belong to the same page table and the same VMA:
    /// at least one (`pmd_addr_end()`).
    #[inline]
    fn nr_in_table(&self) -> u32 {
        let left = self.walk.vma.range().end - self.address();
        let in_table = bindings::PMD_SIZE - self.address() % bindings::PMD_SIZE;
        (left.min(in_table) / PAGE_SIZE) as u32
    }

    /// Reads the entry.
    ///
    /// Other than `ptep_get()`, its accessed and dirty bits are its own, not those of a contpte
    /// block.
    #[inline]
    pub(crate) fn pte(&self) -> Pte {
        // SAFETY: By the type invariants the pointer is valid and the lock is held. The hardware
        // may change the entry meanwhile.
        Pte(unsafe { self.walk.pvmw.pte.read_volatile() })
    }

    /// Returns the entries from this one on that belong to the same page table and VMA, and map
    /// the folio if they are all alike: `page` is what this one maps.
    #[inline]
    pub(crate) fn window(&self, page: Page<'a>) -> PteWindow<'_> {
        let in_folio = self.walk.folio.len() - page.index();
        // INVARIANT: The pointer is valid for the entries of this page table.
        PteWindow {
            ptep: self.walk.pvmw.pte,
            nr: self.nr_in_table().min(in_folio),
            _walk: PhantomData,
        }
    }

    /// Clears this entry and those behind it, `nr` in all, in one go (`get_and_clear_ptes()`).
    ///
    /// The entries must map consecutive pages of the folio from `page` on, and differ in nothing
    /// else but their accessed and dirty bits. The guard restores what is not committed.
    /// `flush_cache_range()` is not called: it is empty where caches do not know virtual addresses.
    pub(crate) fn clear(self, page: Page<'a>, nr: BatchLen) -> ClearedPtes<'w, 'a> {
        let nr = match nr {
            BatchLen::ONE => nr,
            nr => nr.min(self.window(page).nr().unwrap_or(BatchLen::ONE)),
        };
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the pointer is valid; the batch was
        // cut to what this table and the folio have.
        let pteval =
            unsafe { get_and_clear_ptes(walk.vma.mm(), walk.pvmw.address, walk.pvmw.pte, nr) };
        // SAFETY: The entries were just cleared, and the walk that holds the lock is lent to the
        // guard. The batch was cut to what the folio has.
        unsafe {
            let pages = Pages::new(page, nr);
            ClearedPtes::new(walk.pvmw, walk.folio, walk.vma, pages, pteval)
        }
    }

    /// Clears this one entry, which is not present (`pte_clear()`).
    pub(crate) fn clear_non_present(self, page: Page<'a>, old: Pte) -> ClearedPtes<'w, 'a> {
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the pointer is valid.
        unsafe {
            bindings::pte_clear(walk.vma.mm().as_ptr(), walk.pvmw.address, walk.pvmw.pte);
        }
        // SAFETY: As in `clear()`, for one entry.
        unsafe {
            let pages = Pages::new(page, BatchLen::ONE);
            ClearedPtes::new(walk.pvmw, walk.folio, walk.vma, pages, old)
        }
    }
}

/// Entries of one page table, to be read while its lock is held.
///
/// # Invariants
///
/// `ptep` is valid for `nr` entries of one page table, whose lock is held.
pub(crate) struct PteWindow<'w> {
    ptep: *const bindings::pte_t,
    nr: u32,
    _walk: PhantomData<&'w bindings::page_vma_mapped_walk>,
}

impl PteWindow<'_> {
    /// Returns how many entries there are, if any.
    #[inline]
    pub(crate) fn nr(&self) -> Option<BatchLen> {
        BatchLen::new(self.nr)
    }

    /// Reads an entry, and how many entries from there on are known to be alike without reading
    /// them (`pte_batch_hint()`). Its accessed and dirty bits are its own.
    ///
    /// Returns [`None`] outside.
    #[inline]
    pub(crate) fn peek(&self, index: u32) -> Option<(Pte, u32)> {
        if index >= self.nr {
            return None;
        }
        // SAFETY: By the type invariants, and the check above. The hardware may change the entry
        // meanwhile.
        unsafe {
            let ptep = self.ptep.add(index as usize);
            let pte = ptep.read_volatile();
            Some((Pte(pte), batch_hint(ptep, pte)))
        }
    }
}

/// Clears entries of consecutive pages, and returns the first one with the accessed and dirty bits
/// of all (`get_and_clear_ptes()`).
///
/// # Safety
///
/// The page table lock must be held, and the entries from `ptep` on, which translate `address` and
/// what follows it, must be present.
#[inline]
unsafe fn get_and_clear_ptes(
    mm: &Mm,
    address: usize,
    ptep: *mut bindings::pte_t,
    nr: BatchLen,
) -> Pte {
    // Where no blocks of entries have to be taken apart, the bits are collected first and looked at
    // once: the kernel's own loop asks for them, and sets them, page by page.
    #[cfg(CONFIG_X86)]
    {
        // SAFETY: By the safety contract.
        let clear = |index: u32| unsafe {
            let index = index as usize;
            bindings::ptep_get_and_clear(mm.as_ptr(), address + index * PAGE_SIZE, ptep.add(index))
        };
        let first = clear(0);
        match nr {
            BatchLen::ONE => Pte(first),
            nr => {
                let all = (1..nr.get()).fold(first.pte, |all, index| all | clear(index).pte);
                Pte(first).with_young_and_dirty_of(Pte(bindings::pte_t { pte: all }))
            }
        }
    }
    #[cfg(not(CONFIG_X86))]
    // SAFETY: By the safety contract.
    Pte(unsafe { bindings::get_and_clear_ptes(mm.as_ptr(), address, ptep, nr.get()) })
}

/// `pte_batch_hint()`, which only arm64 has more to say to than one.
///
/// # Safety
///
/// `ptep` must point into a page table.
#[inline]
unsafe fn batch_hint(ptep: *const bindings::pte_t, pte: bindings::pte_t) -> u32 {
    #[cfg(CONFIG_ARM64)]
    // SAFETY: By the safety contract; the function does not write.
    return unsafe { bindings::pte_batch_hint(ptep.cast_mut(), pte) };
    #[cfg(not(CONFIG_ARM64))]
    {
        let _ = (ptep, pte);
        1
    }
}
