// SPDX-License-Identifier: GPL-2.0

//! Page table entries that a walk has found, read and cleared under their lock.
//!
//! C header: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h)

use super::{
    bindings,
    cleared::ClearedPtes,
    mm::PAGE_SIZE,
    page::{
        Page,
        Pages, //
    },
    pte::Pte,
    vma::Vma,
    walk::VmaWalk, //
};
use crate::ttu::batch::BatchLen;
use core::marker::PhantomData;

/// A mapping of one page of the folio by a page table entry.
///
/// # Invariants
///
/// `walk.pvmw.pte` points to the entry for `walk.pvmw.address`, in a page table whose lock is held.
pub(crate) struct PteMapping<'w, 'a> {
    walk: &'w mut VmaWalk<'a>,
}

impl<'w, 'a> PteMapping<'w, 'a> {
    /// # Safety
    ///
    /// The walk must have found an entry of a page table, and not gone on.
    pub(super) unsafe fn new(walk: &'w mut VmaWalk<'a>) -> Self {
        // INVARIANT: By the safety contract.
        Self { walk }
    }

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
        let in_folio = self.walk.folio.len() - page.folio_page_idx();
        // INVARIANT: The pointer is valid for the entries of this page table.
        PteWindow {
            ptep: self.walk.pvmw.pte,
            nr: self.nr_in_table().min(in_folio),
            _walk: PhantomData,
        }
    }

    /// Clears this entry and those behind it, `nr` in all, in one go (`get_and_clear_ptes()`).
    ///
    /// The entries must be present, map consecutive pages of the folio from `page` on, and differ in
    /// nothing else but their accessed and dirty bits. The guard restores what is not committed.
    /// `flush_cache_range()` is not called: it is empty where caches do not know virtual addresses.
    pub(crate) fn clear(self, page: Page<'a>, nr: BatchLen) -> ClearedPtes<'w, 'a> {
        let nr = match nr {
            BatchLen::ONE => nr,
            nr => nr.min(self.window(page).nr().unwrap_or(BatchLen::ONE)),
        };
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the pointer is valid; the batch was
        // cut to what this table and the folio have. The entries are present, as was said.
        let pteval = unsafe { get_and_clear_ptes(walk, nr) };
        // SAFETY: The entries were just cleared, and the walk that holds the lock is lent to the
        // guard. The batch was cut to what the folio has, and they mapped these pages, as was said.
        unsafe {
            let pages = Pages::new(page, nr);
            ClearedPtes::new(walk.pvmw, walk.folio, walk.vma, pages, pteval)
        }
    }

    /// Clears this one entry, which must not be present, and was `old` (`pte_clear()`).
    pub(crate) fn clear_non_present(self, page: Page<'a>, old: Pte) -> ClearedPtes<'w, 'a> {
        let walk = self.walk;
        // SAFETY: By the type invariants the lock is held and the pointer is valid; no CPU changes
        // or has cached an entry that is not present.
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

/// Clears `nr` entries from that of the walk on, and returns the first one with the accessed and
/// dirty bits of all (`get_and_clear_ptes()`).
///
/// Lazily freed ones become soft-dirty with that, as those that the kernel's own path clears in one
/// go. That clears entries of other folios one by one: their soft-dirty bits are kept.
///
/// # Safety
///
/// The page table lock must be held, and the entries must be present and map consecutive pages of
/// the folio.
#[inline]
unsafe fn get_and_clear_ptes(walk: &VmaWalk<'_>, nr: BatchLen) -> Pte {
    let (mm, address, ptep) = (walk.vma.mm(), walk.pvmw.address, walk.pvmw.pte);
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
                let others = (1..nr.get()).fold(0, |others, index| others | clear(index).pte);
                let others = Pte(bindings::pte_t { pte: others });
                Pte(first).with_young_and_dirty_of(others, walk.folio.is_swapbacked())
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
