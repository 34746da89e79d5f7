// SPDX-License-Identifier: GPL-2.0

//! Reading and writing entries in a page table.

use super::{
    mm::{mm_struct, vm_area_struct, VM_LOCKED, VM_UFFD_WP},
    pages::{folio, page, pages_from, PG_ANON_EXCLUSIVE},
    pte::*,
    rmap::WALKED,
    swap::FIRST_SLOT,
};
use core::{ops::Range, ptr};

/// The address space and the folio of the walk that is on.
unsafe fn walked<'a>() -> (&'a mut mm_struct, &'a mut folio) {
    let (mm, folio) = WALKED.get();
    check!(!mm.is_null(), "no page table lock");
    (&mut *mm, &mut *folio)
}

/// What is where page tables are while nobody has locked one: nothing that is ever mapped.
const POISON: pte_t = pte_t { pte: !0 };

impl mm_struct {
    /// A page table was locked. All are shown, as the memory around a table is there as well.
    pub(crate) fn show(&mut self) {
        self.raw.resize(self.ptes.len(), POISON);
        self.emptied = vec![false; self.ptes.len()];
        check!(
            self.raw.iter().all(|&pte| pte == POISON),
            "an entry was written without a lock"
        );
        self.raw.copy_from_slice(&self.ptes);
    }

    /// A page table is unlocked: what was written there is true from now on.
    pub(crate) fn hide(&mut self) {
        let allowed = self.locked.clone().unwrap();
        for (place, (old, new)) in self.ptes.iter_mut().zip(&mut self.raw).enumerate() {
            check!(
                old.without(CONT) == new.without(CONT) || allowed.contains(&place),
                "entry {place} is written, outside of {allowed:?}"
            );
            *old = core::mem::replace(new, POISON);
        }
    }
}

/// Looks at the swap entries that were written under the page table lock up to now.
pub(crate) unsafe fn check_swap_entries() {
    let (mm, folio) = WALKED.get();
    if mm.is_null() {
        return;
    }
    let (mm, folio) = (&*mm, &*folio);
    for (place, (new, old)) in mm.raw.iter().zip(&mm.ptes).enumerate() {
        if new == old || !new.has(SWAP) {
            continue;
        }
        check!(mm.emptied[place], "entry {place} is overwritten");
        check!(mm.on_mmlist, "swapoff would not find the entry");
        let index = new.number().wrapping_sub(FIRST_SLOT);
        let Some(page) = folio.pages().get(index) else {
            check!(false, "a slot of somebody else");
            continue;
        };
        check_eq!(old.mapped_pfn(), Some(page.pfn), "the slot of another page");
        check!(!page.has(PG_ANON_EXCLUSIVE), "the page is exclusive still");
        check!(
            !folio.unfenced.contains(&index),
            "no barrier after clearing the flag"
        );
        check!((&(*folio.slots).counts)[index] > 0, "no reference counted");
    }
}

pub(crate) unsafe fn pte_batch_hint(ptep: *mut pte_t, pte: pte_t) -> u32 {
    let (mm, _) = walked();
    let place = mm.place(ptep, 1);
    check!(
        !mm.hinted.contains(&place),
        "entry {place} is known already"
    );
    let nr = match mm.contpte {
        Some(block) if pte.has(CONT) => block - place % block,
        _ => 1,
    };
    mm.hinted = place..place + nr;
    mm.hints.push(place..place + nr);
    nr as u32
}

impl mm_struct {
    /// Before some entries are written, blocks that are cut by that become single entries.
    fn unfold(&mut self, place: usize, nr: usize) {
        let Some(block) = self.contpte else {
            return;
        };
        let ptes = &mut self.raw;
        for (edge, cut) in [(place, place), (place + nr, place + nr - 1)] {
            if edge % block == 0 || !ptes[cut].has(CONT) {
                continue;
            }
            let first = cut / block * block;
            for pte in &mut ptes[first..first + block] {
                *pte = pte.without(CONT);
            }
            self.unfolded += 1;
        }
    }
}

#[cfg(CONFIG_ARM64)]
impl mm_struct {
    /// A batch is cleared: what is in blocks need not have been looked at entry by entry.
    fn check_hints(&self, place: usize, nr: usize) {
        let asked = |place| self.hints.iter().any(|hint| hint.contains(&place));
        check!(
            nr == 1 || (place..place + nr).all(|place| !self.raw[place].has(CONT) || asked(place)),
            "entries {place} to {}: a block nobody has asked about",
            place + nr
        );
    }
}

#[cfg(CONFIG_X86)]
pub(crate) unsafe fn ptep_get_and_clear(
    mm: *mut mm_struct,
    address: usize,
    ptep: *mut pte_t,
) -> pte_t {
    clear(mm, address, ptep)
}

#[cfg(CONFIG_ARM64)]
pub(crate) unsafe fn get_and_clear_ptes(
    mm: *mut mm_struct,
    address: usize,
    ptep: *mut pte_t,
    nr: u32,
) -> pte_t {
    (*mm).check_hints((*mm).place(ptep, nr as usize), nr as usize);
    (*mm).unfold((*mm).place(ptep, nr as usize), nr as usize);
    let mut merged = pte_t::default();
    for index in 0..nr as usize {
        let address = address + index * super::mm::PAGE_SIZE;
        let pte = clear(mm, address, ptep.add(index)).without(CONT);
        let bits = if index == 0 {
            u64::MAX
        } else {
            DIRTY | ACCESSED
        };
        merged = merged.with(pte.pte & bits);
    }
    merged
}

unsafe fn clear(mm: *mut mm_struct, address: usize, ptep: *mut pte_t) -> pte_t {
    let (mm_walked, folio) = walked();
    check_eq!(&raw const *mm_walked, mm.cast_const(), "another mm");
    let place = (*mm).place(ptep, 1);
    check_eq!(address, mm_struct::address_of(place), "another address");
    mm_walked.check_announced(address);
    let old = std::mem::take(&mut (&mut (*mm).raw)[place]);
    check!(old.has(PRESENT), "an entry is cleared that is not there");
    folio.barrier = false;
    (&mut (*mm).emptied)[place] = true;
    (*mm).tlb.cleared(address);
    old
}

pub(crate) unsafe fn pte_clear(mm: *mut mm_struct, address: usize, ptep: *mut pte_t) {
    let place = (*mm).place(ptep, 1);
    check_eq!(address, mm_struct::address_of(place), "another address");
    (*mm).check_announced(address);
    (&mut (*mm).raw)[place] = pte_t::default();
    (&mut (*mm).emptied)[place] = true;
    walked().1.barrier = false;
}

pub(crate) unsafe fn cond_install_uffd_wp_ptes(
    vma: *mut vm_area_struct,
    address: usize,
    ptep: *mut pte_t,
    pte: pte_t,
    nr: usize,
) {
    let mm = &mut *(*vma).vm_mm;
    let place = mm.place(ptep, nr);
    check_eq!(address, mm_struct::address_of(place), "another address");
    let entries = &mut mm.raw[place..place + nr];
    check!(entries.iter().all(|pte| pte.pte == 0));
    if !(*vma).vm_ops.is_null() && (*vma).has(VM_UFFD_WP) && (pte.has(UFFD) || pte.has(SWP_UFFD)) {
        entries.fill(pte_t::new(0, MARKER));
    }
}

/// Puts present entries back.
pub(crate) unsafe fn set_ptes(
    mm: *mut mm_struct,
    address: usize,
    ptep: *mut pte_t,
    pte: pte_t,
    nr: u32,
) {
    let place = (*mm).place(ptep, nr as usize);
    check_eq!(address, mm_struct::address_of(place), "another address");
    // Which entries make one block of contiguous ones may be another than before.
    let cached = |range: &Range<usize>| range.contains(&address);
    check!(
        cfg!(not(CONFIG_ARM64)) || !(*mm).tlb.pending.iter().any(cached),
        "a CPU may have the old entry and the new one"
    );
    for index in 0..nr as usize {
        let entry = &mut (&mut (*mm).raw)[place + index];
        check!(entry.is_none(), "an entry is overwritten");
        *entry = match index {
            0 => pte,
            _ => pte_advance_pfn(pte, index),
        };
    }
}

/// Puts an entry that is not present in the place of a cleared one.
pub(crate) unsafe fn set_pte_at(mm: *mut mm_struct, address: usize, ptep: *mut pte_t, pte: pte_t) {
    let place = (*mm).place(ptep, 1);
    check_eq!(address, mm_struct::address_of(place), "another address");
    check!(!pte.has(PRESENT), "set_pte_at() of a present entry");
    let entry = &mut (&mut (*mm).raw)[place];
    check!(entry.is_none(), "an entry is overwritten");
    *entry = pte;
}

pub(crate) unsafe fn folio_remove_rmap_ptes(
    folio: *mut folio,
    page: *mut page,
    nr: i32,
    vma: *mut vm_area_struct,
) {
    let (_, walked) = walked();
    check!(nr > 0, "no page");
    check!(
        ptr::eq(page.sub((*page).index).cast(), folio),
        "another folio"
    );
    for page in pages_from(page, nr as usize) {
        check!(page.mapcount > 0, "the page is not mapped");
        page.mapcount -= 1;
    }
    walked.undrained = (*vma).has(VM_LOCKED);
}

pub(crate) unsafe fn mlock_drain_local() {
    let (_, folio) = walked();
    check!(folio.undrained, "there is nothing to drain");
    folio.undrained = false;
}

pub(crate) unsafe fn mlock_vma_folio(folio: *mut folio, vma: *mut vm_area_struct) {
    check!((*vma).has(VM_LOCKED));
    (*folio).mlocked = true;
}

pub(crate) unsafe fn smp_mb() {
    walked().1.barrier = true;
}

pub(crate) unsafe fn smp_mb__after_atomic() {
    check_swap_entries();
    walked().1.unfenced = 0..0;
}

pub(crate) unsafe fn smp_rmb() {
    walked().1.refs_read = false;
}
