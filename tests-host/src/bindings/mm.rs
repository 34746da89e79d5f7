// SPDX-License-Identifier: GPL-2.0

//! Address spaces and their VMAs.

use super::{
    pages::folio,
    pte::{pte_t, PRESENT, SWAP},
    table::check_swap_entries,
    tlb::Tlb,
};
use core::{cell::Cell, ffi::c_void, ops::Range, ptr};

pub(crate) const PAGE_SIZE: usize = 4096;
/// Entries in a page table.
pub(crate) const HPAGE_PMD_NR: usize = 64;
pub(crate) const PMD_SIZE: usize = HPAGE_PMD_NR * PAGE_SIZE;
/// Where the first page table begins.
pub(crate) const FIRST_ADDRESS: usize = 32 * HPAGE_PMD_NR * PAGE_SIZE;

pub(crate) const MM_ANONPAGES: i32 = 0;
pub(crate) const MM_SWAPENTS: i32 = 1;
pub(crate) const VM_LOCKED: usize = 1;
pub(crate) const VM_DROPPABLE: usize = 2;
/// Userfaultfd is told of accesses to what is missing.
pub(crate) const VM_UFFD_MISSING: usize = 4;
/// Userfaultfd is told of writes.
pub(crate) const VM_UFFD_WP: usize = 8;
/// No flag of the kernel: the VMA maps a file, and the folio is a private copy of a part of it.
pub(crate) const OF_FILE: usize = 16;
pub(crate) const pid_type_PIDTYPE_PID: u32 = 0;
pub(crate) const FW_ZEROPAGE: u32 = 1;
pub(crate) type folio_walk_flags_t = u32;

/// An address space: the entries of all its page tables, one after the other.
#[derive(Default)]
pub(crate) struct mm_struct {
    pub(crate) __bindgen_anon_1: mm_fields,
    pub(crate) ptes: Vec<pte_t>,
    /// The memory that has them, as whoever holds a pointer sees it: they are there while a page
    /// table lock is held, and otherwise something that must not be used.
    pub(crate) raw: Vec<pte_t>,
    /// Which of them were cleared since the page table was locked.
    pub(crate) emptied: Vec<bool>,
    /// Whether each page table is one entry of a page middle directory instead.
    pub(crate) huge: Vec<bool>,
    /// Entries that may be touched: the page table lock is held, and they are within the VMA.
    pub(crate) locked: Option<Range<usize>>,
    pub(crate) counters: [isize; 2],
    pub(crate) hiwater_rss: isize,
    pub(crate) on_mmlist: bool,
    /// Whether secondary MMUs have the memory mapped as well, and want to be told.
    pub(crate) has_listeners: bool,
    /// Invalidations that were announced, and not their end.
    pub(crate) invalidations: Vec<Range<usize>>,
    pub(crate) tlb: Tlb,
    /// Entries in a contpte block, if there are such.
    pub(crate) contpte: Option<usize>,
    /// Entries that the last hint was about.
    pub(crate) hinted: Range<usize>,
    /// Entries that any hint was about since the walk's last step.
    pub(crate) hints: Vec<Range<usize>>,
    /// How many times a contpte block was unfolded.
    pub(crate) unfolded: u32,
}

/// The fields that the module reads by bindgen's name.
#[derive(Default)]
pub(crate) struct mm_fields {
    pub(crate) tlb_flush_batched: atomic_t,
}

/// An atomic integer.
#[derive(Default)]
pub(crate) struct atomic_t {
    pub(crate) counter: i32,
}

/// A VMA.
pub(crate) struct vm_area_struct {
    pub(crate) __bindgen_anon_1: vma_bounds_union,
    pub(crate) __bindgen_anon_2: vma_flags_union,
    pub(crate) vm_mm: *mut mm_struct,
    pub(crate) vm_ops: *const c_void,
    /// Where the first page of the folio is, or would be, which may be outside.
    pub(crate) folio_address: usize,
    pub(crate) folio: *mut folio,
}

/// The bounds of a VMA.
pub(crate) struct vma_bounds_union {
    pub(crate) __bindgen_anon_1: vma_bounds,
}

/// The bounds of a VMA.
pub(crate) struct vma_bounds {
    pub(crate) vm_start: usize,
    pub(crate) vm_end: usize,
}

/// The flags of a VMA.
pub(crate) struct vma_flags_union {
    pub(crate) vm_flags: usize,
}

impl mm_struct {
    /// The place among all entries of the one that a pointer points to, if it may be touched.
    pub(crate) fn place(&self, ptep: *const pte_t, nr: usize) -> usize {
        let bytes = (ptep as usize).wrapping_sub(self.raw.as_ptr() as usize);
        let place = bytes / size_of::<pte_t>();
        let allowed = self.locked.clone().expect("no page table lock");
        check!(
            nr > 0 && allowed.contains(&place) && place + nr <= allowed.end,
            "entries {place} to {} are touched, of {allowed:?}",
            place.wrapping_add(nr)
        );
        place
    }

    /// The address that an entry translates.
    pub(crate) fn address_of(place: usize) -> usize {
        FIRST_ADDRESS + place * PAGE_SIZE
    }

    /// The entry that translates an address.
    pub(crate) fn place_of(address: usize) -> usize {
        (address - FIRST_ADDRESS) / PAGE_SIZE
    }

    /// What the counters have to be.
    pub(crate) fn count(&self) -> [isize; 2] {
        let mapped = self.ptes.iter().filter(|pte| pte.mapped_pfn().is_some());
        let swapped = self.ptes.iter().filter(|pte| pte.has(SWAP));
        [mapped.count() as isize, swapped.count() as isize]
    }
}

impl vm_area_struct {
    pub(crate) fn range(&self) -> Range<usize> {
        let bounds = &self.__bindgen_anon_1.__bindgen_anon_1;
        bounds.vm_start..bounds.vm_end
    }

    pub(crate) fn has(&self, flags: usize) -> bool {
        self.__bindgen_anon_2.vm_flags & flags != 0
    }
}

pub(crate) unsafe fn userfaultfd_armed(vma: *mut vm_area_struct) -> bool {
    (*vma).has(VM_UFFD_MISSING) || (*vma).has(VM_UFFD_WP)
}

pub(crate) unsafe fn add_mm_counter(mm: *mut mm_struct, member: i32, value: isize) {
    (*mm).counters[member as usize] += value;
    check!((*mm).counters[member as usize] >= 0, "a counter below zero");
}

pub(crate) unsafe fn update_hiwater_rss(mm: *mut mm_struct) {
    (*mm).hiwater_rss = (*mm).hiwater_rss.max((*mm).counters[MM_ANONPAGES as usize]);
}

pub(crate) unsafe fn mm_prepare_for_swap_entries(mm: *mut mm_struct) {
    check_swap_entries();
    (*mm).on_mmlist = true;
}

// Processes and what walks their memory: one process, whose VMAs are those of the folio.

thread_local! {
    /// The address space and the folio of the only process.
    pub(crate) static PROCESS: Cell<(*mut mm_struct, *mut folio)> =
        const { Cell::new((ptr::null_mut(), ptr::null_mut())) };
}

pub(crate) struct pid {}
pub(crate) struct task_struct {}
pub(crate) struct folio_walk {}

pub(crate) unsafe fn find_vpid(pid: i32) -> *mut pid {
    ptr::without_provenance_mut(pid as usize)
}

pub(crate) unsafe fn pid_task(pid: *mut pid, _type: u32) -> *mut task_struct {
    pid.cast()
}

pub(crate) unsafe fn get_task_mm(_task: *mut task_struct) -> *mut mm_struct {
    PROCESS.get().0
}

pub(crate) unsafe fn mmput(_mm: *mut mm_struct) {}

pub(crate) unsafe fn mmap_read_lock_killable(_mm: *mut mm_struct) -> i32 {
    0
}

pub(crate) unsafe fn mmap_read_unlock(_mm: *mut mm_struct) {}

pub(crate) unsafe fn find_vma(mm: *mut mm_struct, address: usize) -> *mut vm_area_struct {
    let vmas = &(*PROCESS.get().1).vmas;
    let found = vmas
        .iter()
        .copied()
        .filter(|&vma| (*vma).vm_mm == mm && (*vma).range().end > address)
        .min_by_key(|&vma| (*vma).range().end);
    found.unwrap_or(ptr::null_mut())
}

pub(crate) unsafe fn mm_find_pmd(mm: *mut mm_struct, address: usize) -> *mut pte_t {
    let table = mm_struct::place_of(address) / HPAGE_PMD_NR;
    match (*mm).ptes.chunks_mut(HPAGE_PMD_NR).nth(table) {
        Some(ptes) if ptes.iter().any(|pte| pte.pte != 0) => ptes.as_mut_ptr(),
        _ => ptr::null_mut(),
    }
}

pub(crate) unsafe fn folio_walk_start(
    _walk: *mut folio_walk,
    vma: *mut vm_area_struct,
    address: usize,
    _flags: folio_walk_flags_t,
) -> *mut folio {
    let folio = (*vma).folio;
    let pte = &(*(*vma).vm_mm).ptes[mm_struct::place_of(address)];
    let ours = (*folio).pfn..(*folio).pfn + (*folio).pages().len();
    if pte.has(PRESENT) && ours.contains(&pte.number()) {
        folio
    } else {
        ptr::null_mut()
    }
}

pub(crate) unsafe fn folio_walk_end(_walk: *mut folio_walk, _vma: *mut vm_area_struct) {}
