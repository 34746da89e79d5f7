// SPDX-License-Identifier: GPL-2.0

//! Finding the entries that map a folio.

use super::{
    mm::{mm_struct, vm_area_struct, HPAGE_PMD_NR, PAGE_SIZE},
    pages::{folio, folio_mapped},
    pte::pte_t,
    table::check_swap_entries,
};
use core::{cell::Cell, ptr};

pub(crate) const ttu_flags_TTU_SPLIT_HUGE_PMD: u32 = 4;
pub(crate) const ttu_flags_TTU_IGNORE_MLOCK: u32 = 8;
pub(crate) const ttu_flags_TTU_SYNC: u32 = 16;
pub(crate) const ttu_flags_TTU_HWPOISON: u32 = 32;
pub(crate) const ttu_flags_TTU_BATCH_FLUSH: u32 = 64;
pub(crate) const PVMW_SYNC: u32 = 1;
pub(crate) const PVMW_PGTABLE_CROSSED: u32 = 1 << 16;

thread_local! {
    /// Whose page table is locked, and the folio that is looked for in it.
    pub(crate) static WALKED: Cell<(*mut mm_struct, *mut folio)> =
        const { Cell::new((ptr::null_mut(), ptr::null_mut())) };
}

/// A walk over the entries of one VMA.
#[derive(Clone, Copy)]
pub(crate) struct page_vma_mapped_walk {
    pub(crate) folio: *mut folio,
    pub(crate) vma: *mut vm_area_struct,
    pub(crate) address: usize,
    pub(crate) nr_pages: usize,
    pub(crate) pmd: *mut bool,
    pub(crate) pte: *mut pte_t,
    pub(crate) flags: u32,
}

pub(crate) unsafe fn page_vma_mapped_walk_init(
    walk: *mut page_vma_mapped_walk,
    folio: *mut folio,
    vma: *mut vm_area_struct,
    address: usize,
    flags: u32,
) {
    let init = page_vma_mapped_walk {
        folio,
        vma,
        address,
        nr_pages: (*folio).pages().len(),
        pmd: ptr::null_mut(),
        pte: ptr::null_mut(),
        flags,
    };
    ptr::write(walk, init);
}

pub(crate) unsafe fn vma_address_end(walk: *mut page_vma_mapped_walk) -> usize {
    let vma = (*walk).vma;
    let end = (*vma).folio_address + (*(*walk).folio).pages().len() * PAGE_SIZE;
    end.min((*vma).range().end)
}

impl page_vma_mapped_walk {
    fn held(&self) -> bool {
        !self.pte.is_null() || !self.pmd.is_null()
    }

    /// Locks the page table of `address`; only the folio's entries in the VMA may be touched.
    unsafe fn lock(&mut self) {
        let mm = &mut *(*self.vma).vm_mm;
        check!(WALKED.get().0.is_null() && mm.locked.is_none(), "locked");
        let table = mm_struct::place_of(self.address) / HPAGE_PMD_NR * HPAGE_PMD_NR;
        let first = (*self.vma).folio_address.max((*self.vma).range().start);
        let end = mm_struct::place_of(vma_address_end(self));
        mm.locked = Some(table.max(mm_struct::place_of(first))..end.min(table + HPAGE_PMD_NR));
        mm.show();
        WALKED.set((mm, self.folio));
    }

    unsafe fn unlock(&mut self) {
        check_swap_entries();
        let mm = &mut *(*self.vma).vm_mm;
        mm.hide();
        mm.locked = None;
        WALKED.set((ptr::null_mut(), ptr::null_mut()));
        self.pte = ptr::null_mut();
        self.pmd = ptr::null_mut();
    }
}

pub(crate) unsafe fn page_vma_mapped_walk(walk: *mut page_vma_mapped_walk) -> bool {
    let walk = &mut *walk;
    let mm = (*walk.vma).vm_mm;
    (*mm).hinted = 0..0;
    (*mm).hints.clear();
    if !walk.pmd.is_null() {
        walk.unlock();
        return false;
    }
    let mut locked = walk.held();
    let mut address = walk.address + if locked { PAGE_SIZE } else { 0 };
    while address < vma_address_end(walk) {
        let place = mm_struct::place_of(address);
        if locked && place % HPAGE_PMD_NR == 0 {
            walk.unlock();
            walk.flags |= PVMW_PGTABLE_CROSSED;
            locked = false;
        }
        walk.address = address;
        if !locked {
            walk.lock();
            locked = true;
        }
        let pfn = (&(*mm).raw)[place].mapped_pfn();
        let ours = (*walk.folio).pfn..(*walk.folio).pfn + walk.nr_pages;
        if pfn.is_some_and(|pfn| ours.contains(&pfn) || (*walk.folio).astray) {
            let huge = &mut (&mut (*mm).huge)[place / HPAGE_PMD_NR];
            if *huge {
                walk.pmd = huge;
            } else {
                walk.pte = (*mm).raw.as_mut_ptr().add(place);
            }
            return true;
        }
        address += PAGE_SIZE;
    }
    if locked {
        walk.unlock();
    }
    false
}

pub(crate) unsafe fn page_vma_mapped_walk_done(walk: *mut page_vma_mapped_walk) {
    check!((*walk).held(), "nothing is locked");
    (*walk).unlock();
}

pub(crate) unsafe fn page_vma_mapped_walk_restart(walk: *mut page_vma_mapped_walk) {
    page_vma_mapped_walk_done(walk);
}

pub(crate) unsafe fn split_huge_pmd_locked(
    vma: *mut vm_area_struct,
    address: usize,
    pmd: *mut bool,
    _freeze: bool,
) {
    let folio = &mut *(*vma).folio;
    (*(*vma).vm_mm).check_announced(address);
    check!(*pmd && folio_mapped(folio), "no PMD to split");
    *pmd = false;
    folio.entire -= 1;
    folio.refs += folio.pages().len() as i32 - 1;
    for page in folio.pages_mut() {
        page.mapcount += 1;
    }
}
