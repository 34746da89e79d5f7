// SPDX-License-Identifier: GPL-2.0

//! Page table entries, by value.
//!
//! An entry is always a copy: the hardware may set its accessed and dirty bits at any time, so no
//! reference ever points into a page table.
//!
//! C header: [`include/linux/pgtable.h`](srctree/include/linux/pgtable.h)

use super::{
    bindings,
    page::Page,
    swap::SwapEntry, //
};

/// A copy of a page table entry (`pte_t`).
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Pte(pub(super) bindings::pte_t);

/// Makes safe methods of the kernel's functions that take an entry by value.
macro_rules! pte_methods {
    ($($(#[$attr:meta])* fn $name:ident = $c_name:ident -> $ret:ty;)*) => {
        $(
            $(#[$attr])*
            #[inline]
            pub(crate) fn $name(self) -> $ret {
                // SAFETY: The function only looks at the value that it is given.
                unsafe { bindings::$c_name(self.0) }.into()
            }
        )*
    };
}

impl From<bindings::pte_t> for Pte {
    fn from(pte: bindings::pte_t) -> Self {
        Self(pte)
    }
}

impl Pte {
    pte_methods! {
        /// `pte_present()`.
        fn present = pte_present -> bool;
        /// `pte_dirty()`.
        fn dirty = pte_dirty -> bool;
        /// `pte_unused()`: the guest of a virtual machine does not need the content any more.
        fn unused = pte_unused -> bool;
        /// `pte_soft_dirty()`.
        fn soft_dirty = pte_soft_dirty -> bool;
        /// `pte_uffd()`.
        fn uffd = pte_uffd -> bool;
        /// `pte_swp_soft_dirty()`, for an entry that is not present.
        fn swp_soft_dirty = pte_swp_soft_dirty -> bool;
        /// `pte_swp_uffd()`, for an entry that is not present.
        fn swp_uffd = pte_swp_uffd -> bool;
        /// `pte_swp_mkexclusive()`, for a swap entry.
        fn swp_mkexclusive = pte_swp_mkexclusive -> Pte;
        /// `pte_swp_mksoft_dirty()`, for a swap entry.
        fn swp_mksoft_dirty = pte_swp_mksoft_dirty -> Pte;
        /// `pte_swp_mkuffd()`, for a swap entry.
        fn swp_mkuffd = pte_swp_mkuffd -> Pte;
        /// `pte_next_swp_offset()`: the next slot, with all other bits as they are.
        fn next_swp_offset = pte_next_swp_offset -> Pte;
        /// `pte_clear_soft_dirty()`.
        fn clear_soft_dirty = pte_clear_soft_dirty -> Pte;
        /// The entry without the bits that may differ within a batch: accessed, dirty, and on
        /// arm64 the one that says that it belongs to a contpte block.
        fn batch_key = pte_batch_key -> Pte;
    }

    /// Returns the page frame number of the page that the entry maps.
    ///
    /// The entry is present, or one of those that are not and yet map a page, such as a
    /// device-exclusive entry.
    pub(crate) fn pfn(self) -> usize {
        // SAFETY: The functions only look at the value that they are given.
        unsafe {
            if bindings::pte_present(self.0) {
                bindings::pte_pfn(self.0)
            } else {
                bindings::softleaf_to_pfn(bindings::softleaf_from_pte(self.0))
            }
        }
    }

    /// `pte_advance_pfn()`: the same entry for the page `nr` pages further on.
    #[inline]
    pub(crate) fn advance_pfn(self, nr: u32) -> Self {
        // SAFETY: The function only computes with the value that it is given.
        Self(unsafe { bindings::pte_advance_pfn(self.0, nr as usize) })
    }

    /// `pte_same()`.
    #[inline]
    pub(crate) fn same(self, other: Self) -> bool {
        self.0.pte == other.0.pte
    }

    /// Makes the entry that stands for a slot of swap space (`swp_entry_to_pte()`).
    pub(crate) fn from_swap(entry: SwapEntry) -> Self {
        // SAFETY: The function only computes with the value that it is given.
        Self(unsafe { bindings::swp_entry_to_pte(entry.raw()) })
    }

    /// Makes the entry that stands for a page with broken memory (`make_hwpoison_entry()`).
    pub(crate) fn hwpoison(page: Page<'_>) -> Self {
        // SAFETY: The page belongs to a living folio; only its frame number is used.
        Self(unsafe { bindings::swp_entry_to_pte(bindings::make_hwpoison_entry(page.as_ptr())) })
    }
}
