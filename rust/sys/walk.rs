// SPDX-License-Identifier: GPL-2.0

//! Finding the page table entries that map a folio in one VMA.
//!
//! C header: [`include/linux/rmap.h`](srctree/include/linux/rmap.h)
//! (`struct page_vma_mapped_walk`)

use super::{
    bindings,
    cleared::ClearedPtes,
    folio::LockedFolio,
    page::Page,
    pte::Pte,
    vma::Vma, //
};
use crate::ttu::batch::BatchLen;
use core::{
    mem::MaybeUninit,
    ops::Range, //
};
use kernel::types::NotThreadSafe;

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
    pvmw: bindings::page_vma_mapped_walk,
    folio: &'a LockedFolio<'a>,
    vma: &'a Vma,
    found: bool,
    _nts: NotThreadSafe,
}

impl<'a> VmaWalk<'a> {
    /// Prepares a walk that begins at `address`, where the folio would be mapped in `vma`.
    ///
    /// With `sync`, empty entries are looked at under the lock as well, so that an entry that
    /// another CPU is just changing is not missed (`PVMW_SYNC`).
    pub(crate) fn new(
        folio: &'a LockedFolio<'_>,
        vma: &'a Vma,
        address: usize,
        sync: bool,
    ) -> Self {
        let flags = if sync { bindings::PVMW_SYNC } else { 0 };
        let mut pvmw = MaybeUninit::uninit();
        // SAFETY: `pvmw` has room for the object, and folio and area are alive.
        let pvmw = unsafe {
            bindings::page_vma_mapped_walk_init(
                pvmw.as_mut_ptr(),
                folio.as_ptr(),
                vma.as_ptr(),
                address,
                flags,
            );
            pvmw.assume_init()
        };
        // INVARIANT: Just initialised; no lock is held yet.
        Self {
            pvmw,
            folio,
            vma,
            found: false,
            _nts: NotThreadSafe,
        }
    }

    /// Returns the addresses that the folio can be mapped at (`vma_address_end()`).
    pub(crate) fn range(&self) -> Range<usize> {
        // SAFETY: The walk is initialised, and the function does not change it.
        let end = unsafe { bindings::vma_address_end((&raw const self.pvmw).cast_mut()) };
        self.pvmw.address..end
    }

    /// Goes on to the next entry that maps the folio (`page_vma_mapped_walk()`).
    pub(crate) fn next(&mut self) -> Option<Mapping<'_, 'a>> {
        // SAFETY: By the type invariants `pvmw` is initialised and its lock is as it says.
        // INVARIANT: The function holds the lock if and only if it returns true.
        self.found = unsafe { bindings::page_vma_mapped_walk(&mut self.pvmw) };
        self.found.then_some(Mapping { walk: self })
    }
}

impl Drop for VmaWalk<'_> {
    fn drop(&mut self) {
        if self.found {
            // SAFETY: By the type invariants the page table lock is held, and ours to release.
            unsafe { bindings::page_vma_mapped_walk_done(&mut self.pvmw) }
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
            bindings::page_vma_mapped_walk_restart(&mut walk.pvmw);
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
    pub(crate) fn address(&self) -> usize {
        self.walk.pvmw.address
    }

    /// Returns the VMA that the entry belongs to.
    pub(crate) fn vma(&self) -> &'a Vma {
        self.walk.vma
    }

    /// Returns how many entries from this one on belong to the same page table and the same VMA:
    /// at least one.
    pub(crate) fn nr_in_table(&self) -> usize {
        let end = self.walk.vma.range().end;
        // SAFETY: The function only computes with addresses.
        let end = unsafe { bindings::pmd_addr_end(self.address(), end) };
        (end - self.address()) / super::mm::PAGE_SIZE
    }

    /// Reads the entry (`ptep_get()`).
    pub(crate) fn pte(&self) -> Pte {
        // SAFETY: By the type invariants the pointer is valid and the lock is held.
        Pte(unsafe { bindings::ptep_get(self.walk.pvmw.pte) })
    }

    /// Reads the entry `index` places further on, and how many entries from there on are known to
    /// be alike without reading them (`ptep_get()`, `pte_batch_hint()`).
    ///
    /// Returns [`None`] outside the page table and the VMA.
    pub(crate) fn peek(&self, index: u32) -> Option<(Pte, u32)> {
        if index as usize >= self.nr_in_table() {
            return None;
        }
        // SAFETY: By the type invariants the pointer is valid and the lock is held; the check
        // above keeps the access within the same page table.
        unsafe {
            let ptep = self.walk.pvmw.pte.add(index as usize);
            let pte = bindings::ptep_get(ptep);
            Some((Pte(pte), bindings::pte_batch_hint(ptep, pte)))
        }
    }

    /// Clears this entry and those behind it, `nr` in all, in one go (`get_and_clear_ptes()`).
    ///
    /// The entries must map consecutive pages of the folio from `page` on, and differ in nothing
    /// else but their accessed and dirty bits; `old` is the first of them as it was read under the
    /// lock. The guard restores what is not committed.
    pub(crate) fn clear(self, page: Page<'a>, old: Pte, nr: BatchLen) -> ClearedPtes<'w, 'a> {
        let in_table = BatchLen::new(self.nr_in_table() as u32).unwrap_or(BatchLen::ONE);
        let nr = nr.min(in_table);
        let walk = self.walk;
        let range = walk.pvmw.address..walk.pvmw.address + nr.bytes();
        walk.vma.flush_cache_range(&range);
        // SAFETY: By the type invariants the lock is held and the pointer is valid; the batch was
        // cut to what this table has.
        let mut pteval = Pte(unsafe {
            bindings::get_and_clear_ptes(
                walk.vma.mm().as_ptr(),
                range.start,
                walk.pvmw.pte,
                nr.get(),
            )
        });
        // Merging in the dirty bits of the others, x86 calls the first one soft-dirty, too, which
        // it was not: pte_mkdirty() stands for a write. No write has come through an entry whose
        // soft-dirty bit is clear.
        if !old.soft_dirty() {
            pteval = pteval.clear_soft_dirty();
        }
        // SAFETY: The entries were just cleared, and the walk that holds the lock is lent to the
        // guard.
        unsafe { ClearedPtes::new(&walk.pvmw, walk.folio, walk.vma, page, pteval, nr) }
    }

    /// Clears this one entry, which is not present (`pte_clear()`).
    pub(crate) fn clear_non_present(self, page: Page<'a>, old: Pte) -> ClearedPtes<'w, 'a> {
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the pointer is valid.
        unsafe {
            bindings::pte_clear(walk.vma.mm().as_ptr(), walk.pvmw.address, walk.pvmw.pte);
        }
        // SAFETY: As in `clear()`, for one entry.
        unsafe { ClearedPtes::new(&walk.pvmw, walk.folio, walk.vma, page, old, BatchLen::ONE) }
    }
}
