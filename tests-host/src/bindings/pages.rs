// SPDX-License-Identifier: GPL-2.0

//! Folios and their pages, in memory as the kernel has them: page after page, and the folio's own
//! fields where its first page is.

use super::{
    mm::{vm_area_struct, HPAGE_PMD_NR},
    swap::{swap_cluster_info, swp_entry_t, FIRST_SLOT, NO_SLOT},
    table::check_swap_entries,
};
use core::{ops::Range, ptr};

pub(crate) const PG_SWAPBACKED: usize = 1 << 3;
pub(crate) const PG_SWAPCACHE: usize = 1 << 5;
pub(crate) const PG_ANON_EXCLUSIVE: usize = 1 << 7;
/// Bits of the word that are not flags, such as the zone.
const ZONE: usize = 1 << 62;

/// The word of flags of a page.
#[derive(Clone, Copy)]
pub(crate) struct memdesc_flags_t {
    pub(crate) f: usize,
}

/// A page.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct page {
    pub(crate) flags: memdesc_flags_t,
    /// Of the first page: the folio's first slot.
    pub(crate) swap: swp_entry_t,
    pub(crate) index: usize,
    pub(crate) pfn: usize,
    /// Page table entries that map it; a PMD is not counted here.
    pub(crate) mapcount: i32,
}

/// The folio's names for fields of its first page.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct folio_fields {
    pub(crate) flags: memdesc_flags_t,
    pub(crate) __bindgen_anon_3: folio_swap,
}

/// The first slot.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct folio_swap {
    pub(crate) swap: swp_entry_t,
}

/// The pages, of which there may be more than the folio has.
#[repr(C)]
pub(crate) union folio_pages {
    pub(crate) __bindgen_anon_1: folio_fields,
    pages: [page; HPAGE_PMD_NR],
}

/// A folio.
#[repr(C)]
pub(crate) struct folio {
    pub(crate) __bindgen_anon_1: folio_pages,
    nr_pages: usize,
    pub(crate) pfn: usize,
    pub(crate) vmas: Vec<*mut vm_area_struct>,
    pub(crate) slots: *mut swap_cluster_info,
    pub(crate) refs: i32,
    /// PMDs that map it.
    pub(crate) entire: i32,
    pub(crate) locked: bool,
    pub(crate) lru: bool,
    pub(crate) dirty: bool,
    pub(crate) hwpoison: bool,
    pub(crate) mlocked: bool,
    /// KSM has merged its page with others.
    pub(crate) merged: bool,
    pub(crate) writeback: bool,
    pub(crate) freed: bool,
    /// A walk for it also finds entries of other folios.
    pub(crate) astray: bool,
    /// It is pinned from this question on.
    pub(crate) pinned_from: Option<u32>,
    pub(crate) pin_questions: u32,
    /// A full barrier between the last clearing of entries and the question.
    pub(crate) barrier: bool,
    /// Its references were read, without a barrier since.
    pub(crate) refs_read: bool,
    /// Its mapping in an mlocked VMA is gone, and may wait in a CPU's batch to be munlocked.
    pub(crate) undrained: bool,
    /// Pages whose exclusive flag was cleared, without a barrier since.
    pub(crate) unfenced: Range<usize>,
}

impl page {
    pub(crate) fn has(&self, flags: usize) -> bool {
        self.flags.f & flags == flags
    }

    fn set(&mut self, flags: usize, on: bool) {
        self.flags.f = self.flags.f & !flags | if on { flags } else { 0 };
    }
}

impl folio {
    /// Makes a folio with as many pages as there are flags.
    pub(crate) fn new(pfn: usize, exclusive: &[bool]) -> Box<Self> {
        let page = |index| {
            // The pages behind the folio look as those of it do.
            let exclusive = exclusive[index % exclusive.len()];
            page {
                flags: memdesc_flags_t {
                    f: ZONE | if exclusive { PG_ANON_EXCLUSIVE } else { 0 },
                },
                swap: NO_SLOT,
                index,
                pfn: pfn + index,
                mapcount: 0,
            }
        };
        Box::new(Self {
            __bindgen_anon_1: folio_pages {
                pages: core::array::from_fn(page),
            },
            nr_pages: exclusive.len(),
            pfn,
            vmas: vec![],
            slots: ptr::null_mut(),
            refs: 0,
            entire: 0,
            locked: false,
            lru: false,
            dirty: false,
            hwpoison: false,
            mlocked: false,
            merged: false,
            writeback: false,
            freed: false,
            astray: false,
            pinned_from: None,
            pin_questions: 0,
            barrier: false,
            refs_read: false,
            undrained: false,
            unfenced: 0..0,
        })
    }

    pub(crate) fn pages(&self) -> &[page] {
        // SAFETY: All that is in the union is part of the pages.
        unsafe { &self.__bindgen_anon_1.pages[..self.nr_pages] }
    }

    pub(crate) fn pages_mut(&mut self) -> &mut [page] {
        // SAFETY: As above.
        unsafe { &mut self.__bindgen_anon_1.pages[..self.nr_pages] }
    }

    pub(crate) fn has(&self, flags: usize) -> bool {
        self.pages()[0].has(flags)
    }

    pub(crate) fn set(&mut self, flags: usize, on: bool) {
        self.pages_mut()[0].set(flags, on);
    }

    /// Gives the folio its place on the swap device, or takes it back.
    pub(crate) fn give_slots(&mut self, on: bool) {
        self.set(PG_SWAPCACHE, on);
        self.pages_mut()[0].swap.val = if on { FIRST_SLOT } else { NO_SLOT.val };
    }
}

macro_rules! flags {
    ($($name:ident = $field:ident,)*) => {
        $(pub(crate) unsafe fn $name(folio: *const folio) -> bool {
            (*folio).$field
        })*
    };
}

flags! {
    folio_test_lru = lru,
    folio_test_hwpoison = hwpoison,
    folio_contain_hwpoisoned_page = hwpoison,
    folio_test_mlocked = mlocked,
    folio_test_unevictable = mlocked,
    folio_test_ksm = merged,
    folio_test_writeback = writeback,
}

pub(crate) unsafe fn folio_test_anon(_folio: *const folio) -> bool {
    true
}

macro_rules! never {
    ($($name:ident)*) => {
        $(pub(crate) unsafe fn $name(_folio: *const folio) -> bool {
            false
        })*
    };
}

never! {
    folio_test_hugetlb
    folio_is_zone_device
    is_zero_folio
}

unsafe fn pages<'a>(folio: *const folio) -> &'a [page] {
    (*folio).pages()
}

pub(crate) unsafe fn folio_nr_pages(folio: *const folio) -> usize {
    pages(folio).len()
}

pub(crate) unsafe fn folio_pfn(folio: *const folio) -> usize {
    (*folio).pfn
}

pub(crate) unsafe fn folio_test_large(folio: *const folio) -> bool {
    pages(folio).len() > 1
}

pub(crate) unsafe fn folio_mapcount(folio: *const folio) -> i32 {
    (*folio).entire + pages(folio).iter().map(|page| page.mapcount).sum::<i32>()
}

pub(crate) unsafe fn folio_entire_mapcount(folio: *const folio) -> i32 {
    (*folio).entire
}

pub(crate) unsafe fn folio_mapped(folio: *const folio) -> bool {
    folio_mapcount(folio) > 0
}

pub(crate) unsafe fn folio_set_swapbacked(folio: *mut folio) {
    (*folio).set(PG_SWAPBACKED, true);
}

/// The pages from `page` on, if their folio has them.
pub(crate) unsafe fn pages_from<'a>(page: *mut page, nr: usize) -> &'a mut [page] {
    let folio = &mut *page.sub((*page).index).cast::<folio>();
    let first = (*page).index;
    check!(
        nr > 0 && first + nr <= folio.nr_pages,
        "pages outside the folio"
    );
    &mut folio.pages_mut()[first..first + nr]
}

pub(crate) unsafe fn ClearPageAnonExclusive(page: *mut page, nr: u32) {
    check_swap_entries();
    let first = (*page).index;
    for page in pages_from(page, nr as usize) {
        check!(page.has(PG_ANON_EXCLUSIVE), "the flag is clear already");
        page.set(PG_ANON_EXCLUSIVE, false);
    }
    let folio = &mut *page.sub(first).cast::<folio>();
    check!(folio.unfenced.is_empty(), "no barrier behind a run");
    // On x86, clearing a bit of a page that others see is a barrier by itself.
    if cfg!(CONFIG_ARM64) {
        folio.unfenced = first..first + nr as usize;
    }
}
