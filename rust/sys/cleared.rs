// SPDX-License-Identifier: GPL-2.0

//! Page table entries that were cleared, and what is to become of them.
//!
//! In C the caller has to restore by hand what was not unmapped, and to account for what was
//! (`mm/rmap.c: try_to_unmap_one`). Here [`ClearedPtes`] owns the empty entries: it is committed
//! from its front, run by run, and dropping it does both.

use super::{
    bindings,
    folio::LockedFolio,
    mm::{
        MmCounter,
        PAGE_SIZE, //
    },
    page::{
        Page,
        Pages, //
    },
    pte::{
        Pte,
        SwapStep, //
    },
    vma::Vma, //
};
use crate::ttu::{
    batch::{
        BatchLen,
        Cursor, //
    },
    swap_dup::KeptRefs, //
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
///   which translates `address`. There are as many as `pages`, which they mapped.
/// - The entries behind the cursor are empty, and nobody else may fill them.
/// - `pteval` is what the first entry was. Each following one was the same for the next page,
///   but for the accessed and dirty bits, which are those of all entries together.
/// - The pages before the cursor have lost their entries for good, and still count as mapped. They
///   are in swap now if `swapped`, all of them.
/// - CPUs may still have cached the entries only if `flush_pending`, or before anybody asks for a
///   flush.
#[must_use = "the entries are restored at once when the guard is unused"]
pub(crate) struct ClearedPtes<'w, 'a> {
    folio: &'a LockedFolio<'a>,
    vma: &'a Vma,
    pages: Pages<'a>,
    address: usize,
    ptep: *mut bindings::pte_t,
    pteval: Pte,
    cursor: Cursor,
    swapped: bool,
    flush_pending: bool,
    _walk: PhantomData<&'w bindings::page_vma_mapped_walk>,
}

impl<'w, 'a> ClearedPtes<'w, 'a> {
    /// Takes charge of entries that were just cleared.
    ///
    /// # Safety
    ///
    /// `walk` must hold the page table lock, and be at the first of the entries that were just
    /// cleared under it and mapped `pages` of `folio`. `pteval` must be what the first of them
    /// was, with the accessed and dirty bits of all.
    #[inline]
    pub(super) unsafe fn new(
        walk: &'w bindings::page_vma_mapped_walk,
        folio: &'a LockedFolio<'a>,
        vma: &'a Vma,
        pages: Pages<'a>,
        pteval: Pte,
    ) -> Self {
        // INVARIANT: By the safety contract; nothing is committed yet.
        Self {
            folio,
            vma,
            pages,
            address: walk.address,
            ptep: walk.pte,
            pteval,
            cursor: Cursor::new(pages.nr()),
            swapped: false,
            flush_pending: false,
            _walk: PhantomData,
        }
    }

    /// Returns what the first entry was, with the accessed and dirty bits of all.
    #[inline]
    pub(crate) fn pteval(&self) -> Pte {
        self.pteval
    }

    /// Returns the pages that the entries mapped.
    #[inline]
    pub(crate) fn pages(&self) -> Pages<'a> {
        self.pages
    }

    /// Returns the addresses of the whole batch.
    #[inline]
    pub(crate) fn range(&self) -> Range<usize> {
        self.address..self.address + self.pages.nr().bytes()
    }

    /// Returns the VMA that the entries belong to.
    #[inline]
    pub(crate) fn vma(&self) -> &'a Vma {
        self.vma
    }

    /// Notes that the flush of these entries was put off.
    #[inline]
    pub(crate) fn set_flush_pending(&mut self) {
        self.flush_pending = true;
    }

    /// Returns how many entries are committed.
    #[inline]
    pub(crate) fn done(&self) -> u32 {
        self.cursor.done()
    }

    /// Returns the pages whose entries are not committed yet.
    #[inline]
    pub(crate) fn rest(&self) -> Option<Pages<'a>> {
        self.pages.behind(self.cursor.done())
    }

    /// Puts `cond_install_uffd_wp_ptes()` markers where entries of a file's VMA need them.
    pub(crate) fn install_uffd_wp_markers(&mut self) {
        if self.vma.is_anonymous() {
            return;
        }
        // SAFETY: By the type invariants the entries are empty and under the page table lock. A
        // marker counts as empty: it is overwritten by a commit as well as by a restore.
        unsafe {
            bindings::cond_install_uffd_wp_ptes(
                self.vma.as_ptr(),
                self.address,
                self.ptep,
                self.pteval.0,
                self.pages.nr().get() as usize,
            );
        }
    }

    /// Commits the next entries as swap entries of consecutive slots, as many as there are
    /// references for: `swap` for the first, the others a `step` apart. They must be those of the
    /// pages.
    ///
    /// `set_ptes()` cannot do that: it would not advance the swap offset.
    #[inline]
    pub(crate) fn commit_swap(&mut self, refs: KeptRefs, swap: Pte, step: SwapStep) {
        if !self.swapped {
            // Swapoff must find this mm before there is anything to find in it.
            self.vma.mm().prepare_for_swap_entries();
        }
        self.swapped = true;
        let mut pte = swap;
        for index in self.cursor.advance(refs.into_nr()) {
            // SAFETY: By the type invariants the entry is empty and ours to fill. set_pte_at()
            // comes down to this for an entry that is not present, as a swap entry is: nothing has
            // to be flushed, folded or counted for it.
            unsafe { (&raw mut (*self.ptep.add(index as usize)).pte).write_volatile(pte.0.pte) };
            pte = pte.advance_swp_offset(step, 1);
        }
    }

    /// Commits the first entry as one that stands for broken memory.
    pub(crate) fn commit_hwpoison(&mut self, page: Page<'_>) {
        for index in self.cursor.advance(BatchLen::ONE) {
            // SAFETY: By the type invariants the entry is ours to fill.
            unsafe {
                bindings::set_pte_at(
                    self.vma.mm().as_ptr(),
                    self.address + index as usize * PAGE_SIZE,
                    self.ptep.add(index as usize),
                    Pte::hwpoison(page).0,
                );
            }
        }
    }

    /// Commits the next `nr` entries as they are: empty, or with a marker.
    pub(crate) fn commit_empty(&mut self, nr: BatchLen) {
        self.cursor.advance(nr);
    }

    /// Writes back all entries that are not committed.
    #[inline]
    fn restore(&mut self) {
        let Some(rest) = self.cursor.remaining() else {
            return;
        };
        let done = self.cursor.done();
        let pteval = match done {
            0 => self.pteval,
            done => self.pteval.advance_pfn(done),
        };
        let done = done as usize;
        if cfg!(CONFIG_ARM64) && self.flush_pending {
            // The entries may come back with another contiguous bit, and no CPU may find both
            // (`contpte_convert()`): what was put off has to be complete before.
            self.vma.flush_tlb_range(&self.range());
        }
        // SAFETY: By the type invariants the entries from the cursor on are ours to fill, and
        // this is what they were before.
        unsafe {
            bindings::set_ptes(
                self.vma.mm().as_ptr(),
                self.address + done * PAGE_SIZE,
                self.ptep.add(done),
                pteval.0,
                rest.get(),
            );
        }
    }

    /// Takes the mappings that are gone out of all counts, and puts their references.
    ///
    /// Mirrors the tail of `try_to_unmap_one()` in [`mm/rmap.c`](srctree/mm/rmap.c), once for all
    /// runs of the batch.
    #[inline]
    fn account(&mut self) {
        let Some(gone) = BatchLen::new(self.cursor.done()) else {
            return;
        };
        let mm = self.vma.mm();
        mm.add_counter(MmCounter::AnonPages, -(gone.get() as isize));
        if self.swapped {
            mm.add_counter(MmCounter::SwapEnts, gone.get() as isize);
        }
        let folio = self.folio.as_ptr();
        let nr = gone.get() as i32;
        // SAFETY: By the type invariants the page table lock is still held, and the entries for
        // these pages are gone, so their counts and references are ours to put. The folio is kept
        // by another reference, that of whoever has locked it.
        unsafe {
            bindings::folio_remove_rmap_ptes(
                folio,
                self.pages.first().as_ptr(),
                nr,
                self.vma.as_ptr(),
            );
            if self.vma.is_mlocked() {
                bindings::mlock_drain_local();
            }
            bindings::folio_put_refs(folio, nr);
        }
    }
}

impl Drop for ClearedPtes<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        self.restore();
        self.account();
    }
}
