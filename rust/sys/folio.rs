// SPDX-License-Identifier: GPL-2.0

//! Folios: borrowed, counted and locked.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h)

use super::{
    bindings,
    fault,
    page::Page, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::types::{
    NotThreadSafe,
    Opaque, //
};

/// A `struct folio` that somebody holds a reference to.
#[repr(transparent)]
pub(crate) struct Folio(Opaque<bindings::folio>);

/// Makes safe methods of the kernel's functions that look at a folio.
macro_rules! folio_methods {
    ($($(#[$attr:meta])* fn $name:ident = $c_name:ident -> $ret:ty;)*) => {
        $(
            $(#[$attr])*
            #[inline]
            pub(crate) fn $name(&self) -> $ret {
                // SAFETY: Whoever has lent the folio holds a reference to it.
                unsafe { bindings::$c_name(self.as_ptr()) }
            }
        )*
    };
}

impl Folio {
    folio_methods! {
        /// `folio_nr_pages()`.
        fn nr_pages = folio_nr_pages -> usize;
        /// `folio_pfn()`: the frame number of its first page.
        fn pfn = folio_pfn -> usize;
        /// `folio_test_large()`: more than one page.
        fn is_large = folio_test_large -> bool;
        /// `folio_test_anon()`: anonymous, KSM included.
        fn is_anon = folio_test_anon -> bool;
        /// `folio_test_ksm()`.
        fn is_ksm = folio_test_ksm -> bool;
        /// `folio_test_hugetlb()`.
        fn is_hugetlb = folio_test_hugetlb -> bool;
        /// `folio_is_zone_device()`: memory of a device.
        fn is_zone_device = folio_is_zone_device -> bool;
        /// `is_zero_folio()`: the shared page of zeros.
        fn is_zero = is_zero_folio -> bool;
        /// `folio_test_dirty()`.
        fn is_dirty = folio_test_dirty -> bool;
        /// `folio_test_writeback()`: is being written to its swap device.
        fn is_writeback = folio_test_writeback -> bool;
        /// `folio_test_mlocked()`.
        fn is_mlocked = folio_test_mlocked -> bool;
        /// `folio_test_unevictable()`: set and cleared by whoever has taken the folio off its list.
        fn is_unevictable = folio_test_unevictable -> bool;
        /// `folio_test_hwpoison()`.
        fn is_hwpoison = folio_test_hwpoison -> bool;
        /// `folio_contain_hwpoisoned_page()`.
        fn contains_hwpoison = folio_contain_hwpoisoned_page -> bool;
        /// `folio_mapped()`.
        fn is_mapped = folio_mapped -> bool;
        /// `folio_maybe_dma_pinned()`: never wrong when it says no.
        fn maybe_dma_pinned = folio_maybe_dma_pinned -> bool;
        /// `folio_ref_count()`.
        fn ref_count = folio_ref_count -> i32;
        /// `folio_mapcount()`: mappings; one by a PMD counts once.
        fn mapcount = folio_mapcount -> i32;
        /// `folio_entire_mapcount()`: mappings by a PMD, of a large folio.
        fn entire_mapcount = folio_entire_mapcount -> i32;
    }

    /// Creates a reference from a raw pointer.
    ///
    /// # Safety
    ///
    /// Somebody must hold a reference to the folio for `'a`.
    pub(super) unsafe fn from_raw<'a>(folio: *mut bindings::folio) -> &'a Self {
        // SAFETY: `Self` is a transparent wrapper, and the caller keeps the folio.
        unsafe { &*folio.cast() }
    }

    /// Returns the raw pointer.
    pub(super) fn as_ptr(&self) -> *mut bindings::folio {
        self.0.get()
    }

    /// `folio->flags`, which may change at any time, by atomic operations.
    #[inline]
    fn flags(&self) -> usize {
        // SAFETY: Whoever has lent the folio holds a reference to it.
        unsafe {
            let folio = &raw const (*self.as_ptr()).__bindgen_anon_1.__bindgen_anon_1;
            (&raw const (*folio).flags.f).read_volatile()
        }
    }

    /// `folio_test_swapbacked()`: not lazily freed by `MADV_FREE`.
    #[inline]
    pub(crate) fn is_swapbacked(&self) -> bool {
        self.flags() & bindings::PG_SWAPBACKED != 0
    }

    /// `folio_test_swapcache()`: has swap slots.
    #[inline]
    pub(crate) fn in_swapcache(&self) -> bool {
        let both = bindings::PG_SWAPBACKED | bindings::PG_SWAPCACHE;
        self.flags() & both == both
    }

    /// Returns whether `folio_test_pmd_mappable()`.
    pub(crate) fn is_pmd_mappable(&self) -> bool {
        self.nr_pages() >= super::mm::HPAGE_PMD_NR
    }

    /// Returns how many page table entries map it; one by a PMD counts as one for each page.
    ///
    /// A snapshot: without the page table locks it may be old at once.
    pub(crate) fn nr_mapping_entries(&self) -> usize {
        // Where a large folio counts these, a single page has what is not its own.
        let whole = match self.is_large() {
            true => self.entire_mapcount() as usize,
            false => 0,
        };
        self.mapcount() as usize + whole * (self.nr_pages() - 1)
    }
}

/// A reference of our own to a folio.
///
/// # Invariants
///
/// Owns one count of the folio's references.
pub(crate) struct FolioRef(NonNull<bindings::folio>);

impl FolioRef {
    /// Counts a reference to `folio` (`folio_get()`).
    pub(crate) fn get(folio: &Folio) -> Self {
        // SAFETY: The folio is kept by whoever has lent it, so that its count is not zero.
        unsafe { bindings::folio_get(folio.as_ptr()) };
        // INVARIANT: Just counted.
        Self(NonNull::from(folio).cast())
    }
}

impl Deref for FolioRef {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        // SAFETY: By the type invariants we hold a reference.
        unsafe { Folio::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for FolioRef {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own the reference that is put here.
        unsafe { bindings::folio_put(self.0.as_ptr()) }
    }
}

/// A folio whose lock is held: it stays in or out of the swap cache, and keeps its slots.
///
/// # Invariants
///
/// The folio lock is held for as long as the value exists.
pub(crate) struct LockedFolio<'a> {
    folio: &'a Folio,
    /// A locked folio is not split.
    nr_pages: u32,
    _nts: NotThreadSafe,
}

impl<'a> LockedFolio<'a> {
    /// Takes the lock if it is free (`folio_trylock()`), as reclaim does.
    pub(crate) fn trylock(folio: &'a Folio) -> Option<FolioLockGuard<'a>> {
        if fault::FOLIO_TRYLOCK.should_fail() {
            return None;
        }
        // SAFETY: The folio is kept by whoever has lent it.
        unsafe { bindings::folio_trylock(folio.as_ptr()) }.then(|| {
            // INVARIANT: Just locked, and the guard unlocks when it is dropped.
            FolioLockGuard(LockedFolio {
                folio,
                nr_pages: folio.nr_pages() as u32,
                _nts: NotThreadSafe,
            })
        })
    }

    /// Takes note of a lock that the caller holds.
    ///
    /// # Safety
    ///
    /// The caller must hold the lock of the folio for `'a`.
    pub(super) unsafe fn assume_locked(folio: &'a Folio) -> Self {
        // INVARIANT: By the safety contract.
        Self {
            folio,
            nr_pages: folio.nr_pages() as u32,
            _nts: NotThreadSafe,
        }
    }

    /// Returns how many pages it has.
    #[inline]
    pub(crate) fn len(&self) -> u32 {
        self.nr_pages
    }

    /// Returns its page with the frame number `pfn`, if it has one.
    pub(crate) fn page_at_pfn(&self, pfn: usize) -> Option<Page<'a>> {
        let index = pfn.wrapping_sub(self.folio.pfn());
        if index >= self.nr_pages as usize {
            return None;
        }
        // SAFETY: The index is within the folio, which is kept alive.
        Some(unsafe { Page::first_of(self.folio).add(index as u32) })
    }

    /// `folio_mark_dirty()`: the content is not on the swap device yet.
    pub(crate) fn mark_dirty(&self) {
        // SAFETY: By the type invariants the folio is locked.
        unsafe { bindings::folio_mark_dirty(self.as_ptr()) };
    }

    /// `folio_set_swapbacked()`: no longer lazily freed.
    pub(crate) fn set_swapbacked(&self) {
        // SAFETY: By the type invariants the folio is locked.
        unsafe { bindings::folio_set_swapbacked(self.as_ptr()) }
    }
}

impl Deref for LockedFolio<'_> {
    type Target = Folio;

    fn deref(&self) -> &Folio {
        self.folio
    }
}

/// Owns the lock of a folio.
#[must_use = "the folio is unlocked at once when the guard is unused"]
pub(crate) struct FolioLockGuard<'a>(LockedFolio<'a>);

impl<'a> Deref for FolioLockGuard<'a> {
    type Target = LockedFolio<'a>;

    fn deref(&self) -> &LockedFolio<'a> {
        &self.0
    }
}

impl Drop for FolioLockGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: The guard owns the lock.
        unsafe { bindings::folio_unlock(self.0.as_ptr()) }
    }
}
