// SPDX-License-Identifier: GPL-2.0

//! Finding the page table entries that map a folio in one VMA.
//!
//! C header: [`include/linux/rmap.h`](srctree/include/linux/rmap.h)
//! (`struct page_vma_mapped_walk`)

use super::{
    bindings,
    fault,
    folio::LockedFolio,
    mmu_notifier::Invalidation,
    pte_mapping::PteMapping,
    vma::Vma, //
};
use core::mem::MaybeUninit;
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
/// an entry that maps the folio, if and only if `at` is [`At::Entry`].
pub(crate) struct VmaWalk<'a> {
    pub(super) pvmw: &'a mut bindings::page_vma_mapped_walk,
    pub(super) folio: &'a LockedFolio<'a>,
    pub(super) vma: &'a Vma,
    at: At,
    // Dropped after the walk has let go of the page table lock: its end may sleep.
    _invalidation: Invalidation<'a>,
    _nts: NotThreadSafe,
}

/// Where a walk is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before its first entry, or set back to look once more.
    Start,
    /// At an entry that maps the folio.
    Entry,
    /// Behind the last one.
    End,
}

impl<'a> VmaWalk<'a> {
    /// Prepares a walk that begins at `address`, where the folio would be mapped in `vma` (inside of
    /// it, as `vma_address()` says), and announces to secondary MMUs that its entries are going to change.
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
            at: At::Start,
            _invalidation: Invalidation::start(vma.mm(), address..end),
            _nts: NotThreadSafe,
        }
    }

    /// Goes on to the next entry that maps the folio (`page_vma_mapped_walk()`).
    #[inline]
    pub(crate) fn next(&mut self) -> Option<Mapping<'_, 'a>> {
        if self.at == At::End || fault::VMA_WALK.should_fail() {
            return None;
        }
        // SAFETY: By the type invariants `pvmw` is initialised and its lock is as it says; the walk
        // has not come to its end, after which the function must not be called.
        let found = unsafe { bindings::page_vma_mapped_walk(self.pvmw) };
        // INVARIANT: The function holds the lock if and only if it returns true.
        self.at = if found { At::Entry } else { At::End };
        found.then_some(Mapping { walk: self })
    }
}

impl Drop for VmaWalk<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.at == At::Entry {
            // SAFETY: By the type invariants the page table lock is held, and ours to release.
            unsafe { bindings::page_vma_mapped_walk_done(self.pvmw) }
        }
    }
}

/// A mapping of the folio, with the page table lock held.
///
/// # Invariants
///
/// `walk` is at [`At::Entry`].
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

    /// `mlock_vma_folio()`: mlocks the folio if the VMA is mlocked. The page table lock that is held
    /// has to protect all entries of the folio in the VMA.
    pub(crate) fn mlock_folio(&self) {
        // SAFETY: The folio and the VMA are alive, and by the type invariants the page table lock is
        // held: nobody unmaps the folio from the VMA meanwhile, or makes the VMA another.
        unsafe { bindings::mlock_vma_folio(self.walk.folio.as_ptr(), self.walk.vma.as_ptr()) }
    }

    /// Tells the levels apart.
    pub(crate) fn level(self) -> Level<'w, 'a> {
        if self.is_pte() {
            // SAFETY: An entry of a page table was found, as just checked.
            Level::Pte(unsafe { PteMapping::new(self.walk) })
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
/// `walk` is at [`At::Entry`], and `walk.pvmw.pmd` maps the folio.
pub(crate) struct PmdMapping<'w, 'a> {
    walk: &'w mut VmaWalk<'a>,
}

impl PmdMapping<'_, '_> {
    /// Replaces the entry with a page table of entries that map the same pages
    /// (`split_huge_pmd_locked()`), and lets the walk find those next.
    pub(crate) fn split(self) {
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the entry maps the folio at this
        // address; `VmaWalk` has announced the change. Restarting the walk releases the lock.
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
        walk.at = At::Start;
    }
}
