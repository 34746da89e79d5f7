// SPDX-License-Identifier: GPL-2.0

//! Page table entries that were cleared, and what is to become of them.
//!
//! In C the caller has to restore by hand what was not unmapped (`mm/rmap.c: try_to_unmap_one`).
//! Here [`ClearedPtes`] owns the empty entries: it is committed from its front, run by run, and
//! dropping it restores the rest.

use super::{
    bindings,
    folio::{
        Folio,
        LockedFolio, //
    },
    page::Page,
    pte::Pte,
    vma::Vma, //
};
use crate::ttu::batch::{
    BatchLen,
    Cursor, //
};
use core::{
    marker::PhantomData,
    ops::Range, //
};

/// A batch of entries of one page table that were cleared under its lock.
///
/// # Invariants
///
/// - The page table lock is held for `'w`, and `ptep` points to the first of the batch's entries,
///   which translates `address`.
/// - The entries behind the cursor are empty, and nobody else may fill them.
/// - `pteval` is what the first entry was. Each following one was the same for the next page,
///   but for the accessed and dirty bits, which are those of all entries together.
#[must_use = "the entries are restored at once when the guard is unused"]
pub(crate) struct ClearedPtes<'w, 'a> {
    folio: &'a LockedFolio<'a>,
    vma: &'a Vma,
    first: Page<'a>,
    address: usize,
    ptep: *mut bindings::pte_t,
    pteval: Pte,
    cursor: Cursor,
    _walk: PhantomData<&'w bindings::page_vma_mapped_walk>,
}

impl<'w, 'a> ClearedPtes<'w, 'a> {
    /// Takes charge of `nr` entries that were just cleared.
    ///
    /// # Safety
    ///
    /// `walk` must hold the page table lock, and be at the first of `nr` entries that were just
    /// cleared under it and mapped consecutive pages of `folio` from `first` on. `pteval` must be
    /// what the first of them was, with the accessed and dirty bits of all.
    pub(super) unsafe fn new(
        walk: &'w bindings::page_vma_mapped_walk,
        folio: &'a LockedFolio<'a>,
        vma: &'a Vma,
        first: Page<'a>,
        pteval: Pte,
        nr: BatchLen,
    ) -> Self {
        // INVARIANT: By the safety contract.
        Self {
            folio,
            vma,
            first,
            address: walk.address,
            ptep: walk.pte,
            pteval,
            cursor: Cursor::new(nr),
            _walk: PhantomData,
        }
    }

    /// Returns what the first entry was, with the accessed and dirty bits of all.
    pub(crate) fn pteval(&self) -> Pte {
        self.pteval
    }

    /// Returns the addresses of the whole batch.
    pub(crate) fn range(&self) -> Range<usize> {
        self.address..self.address + self.cursor.len().bytes()
    }

    /// Returns the VMA that the entries belong to.
    pub(crate) fn vma(&self) -> &'a Vma {
        self.vma
    }

    /// Returns how many entries are not committed yet.
    pub(crate) fn remaining(&self) -> Option<BatchLen> {
        self.cursor.remaining()
    }

    /// Returns the page that the entry `index` places behind the cursor mapped.
    pub(crate) fn page(&self, index: u32) -> Option<Page<'a>> {
        let folio: &'a Folio = self.folio;
        folio.page(self.first.index() + (self.cursor.done() + index) as usize)
    }

    /// Returns what the first entry that is not committed yet was.
    pub(crate) fn front_pteval(&self) -> Pte {
        match self.cursor.done() {
            0 => self.pteval,
            done => self.pteval.advance_pfn(done),
        }
    }

    /// Puts `cond_install_uffd_wp_ptes()` markers where entries of a file's VMA need them.
    pub(crate) fn install_uffd_wp_markers(&mut self) {
        // SAFETY: By the type invariants the entries are empty and under the page table lock. A
        // marker counts as empty: it is overwritten by a commit as well as by a restore.
        unsafe {
            bindings::cond_install_uffd_wp_ptes(
                self.vma.as_ptr(),
                self.address,
                self.ptep,
                self.pteval.0,
                self.cursor.len().get() as usize,
            );
        }
    }

    /// Commits the next `nr` entries as swap entries of consecutive slots from `swap` on.
    ///
    /// `set_ptes()` cannot do that: it would not advance the swap offset.
    pub(crate) fn commit_swap(&mut self, nr: BatchLen, swap: Pte) -> UnmappedPages<'a> {
        let mut pte = swap;
        let taken = self.take(nr);
        for index in taken.clone() {
            // SAFETY: By the type invariants the entry is ours to fill.
            unsafe {
                bindings::set_pte_at(
                    self.vma.mm().as_ptr(),
                    self.address + index as usize * super::mm::PAGE_SIZE,
                    self.ptep.add(index as usize),
                    pte.0,
                );
            }
            pte = pte.next_swp_offset();
        }
        self.unmapped(taken)
    }

    /// Commits the next `nr` entries as they are: empty, or with a marker.
    pub(crate) fn commit_empty(&mut self, nr: BatchLen) -> UnmappedPages<'a> {
        let taken = self.take(nr);
        self.unmapped(taken)
    }

    /// Moves the cursor over at most `nr` entries and returns which ones.
    fn take(&mut self, nr: BatchLen) -> Range<u32> {
        let start = self.cursor.done();
        self.cursor.advance(nr);
        start..self.cursor.done()
    }

    fn unmapped(&self, taken: Range<u32>) -> UnmappedPages<'a> {
        let folio: &'a Folio = self.folio;
        UnmappedPages {
            folio,
            vma: self.vma,
            first: folio.page(self.first.index() + taken.start as usize),
            nr: taken.end - taken.start,
        }
    }
}

impl Drop for ClearedPtes<'_, '_> {
    fn drop(&mut self) {
        let Some(rest) = self.cursor.remaining() else {
            return;
        };
        let done = self.cursor.done() as usize;
        // SAFETY: By the type invariants the entries from the cursor on are ours to fill, and
        // this is what they were before.
        unsafe {
            bindings::set_ptes(
                self.vma.mm().as_ptr(),
                self.address + done * super::mm::PAGE_SIZE,
                self.ptep.add(done),
                self.front_pteval().0,
                rest.get(),
            );
        }
    }
}

/// Pages whose entries are gone for good, and which still count as mapped.
#[must_use = "the folio keeps the references of the lost mappings when this is unused"]
pub(crate) struct UnmappedPages<'a> {
    folio: &'a Folio,
    vma: &'a Vma,
    first: Option<Page<'a>>,
    nr: u32,
}

impl UnmappedPages<'_> {
    /// Takes the mappings out of the folio's counts and puts their references.
    ///
    /// Mirrors the tail of `try_to_unmap_one()` in [`mm/rmap.c`](srctree/mm/rmap.c).
    /// Context: the page table lock is held.
    pub(crate) fn finish(self) {
        let Some(first) = self.first else {
            return;
        };
        let folio = self.folio.as_ptr();
        let nr = self.nr as i32;
        // SAFETY: The page table lock is still held: `self` was made from what the walk lends.
        // The entries for these pages are gone, so their counts and references are ours to put;
        // the folio is kept by another reference, that of whoever has locked it.
        unsafe {
            bindings::folio_remove_rmap_ptes(folio, first.as_ptr(), nr, self.vma.as_ptr());
            if self.vma.is_locked() {
                bindings::mlock_drain_local();
            }
            bindings::folio_put_refs(folio, nr);
        }
    }
}
