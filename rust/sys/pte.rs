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
use crate::ttu::batch::BatchLen;

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
        /// `pte_young()`.
        #[cfg(CONFIG_X86)]
        fn young = pte_young -> bool;
        /// `pte_mkyoung()`.
        #[cfg(CONFIG_X86)]
        fn mkyoung = pte_mkyoung -> Pte;
        /// `pte_mkdirty()`.
        #[cfg(CONFIG_X86)]
        fn mkdirty = pte_mkdirty -> Pte;
        /// `pte_clear_soft_dirty()`.
        #[cfg(CONFIG_X86)]
        fn clear_soft_dirty = pte_clear_soft_dirty -> Pte;
    }

    /// Returns the entry as accessed if `other` is, and as dirty if one of both is: for other
    /// entries, too, so with the dirty bit of software where writing is forbidden, for that of
    /// hardware lets a shadow stack be written.
    ///
    /// To `pte_mkdirty()` that stands for a write, so that the entry becomes soft-dirty, too. No
    /// write has come through one that was not; with `keep_soft_dirty` that bit stays as it is.
    #[cfg(CONFIG_X86)]
    #[inline]
    pub(crate) fn with_young_and_dirty_of(self, other: Self, keep_soft_dirty: bool) -> Self {
        let mut pte = self;
        if self.dirty() || other.dirty() {
            pte = pte.mkdirty();
            if !self.soft_dirty() && (keep_soft_dirty || !other.dirty()) {
                pte = pte.clear_soft_dirty();
            }
        }
        if other.young() {
            pte = pte.mkyoung();
        }
        pte
    }

    /// Returns the page frame number of the page that the entry maps.
    ///
    /// The entry is `present`, or one of those that are not and yet map a page, such as a
    /// device-exclusive entry.
    pub(crate) fn pfn(self, present: bool) -> usize {
        // SAFETY: The functions only look at the value that they are given.
        unsafe {
            if present {
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

    /// Returns how the entries of a batch that begins with this one look; `contpte` says whether
    /// they have to agree on the contiguous bit of arm64.
    pub(crate) fn batch_pattern(self, contpte: bool) -> BatchPattern {
        BatchPattern {
            // SAFETY: The function only computes.
            mask: unsafe { bindings::pte_batch_mask(contpte) },
            step: self.advance_pfn(1).0.pte.wrapping_sub(self.0.pte),
        }
    }

    /// Returns how much `pte_next_swp_offset()` adds to this swap entry, the first of `nr`.
    pub(crate) fn swp_offset_step(self, nr: BatchLen) -> SwapStep {
        if nr == BatchLen::ONE {
            return SwapStep(0);
        }
        // SAFETY: The function only computes with the value that it is given.
        let next = unsafe { bindings::pte_next_swp_offset(self.0) };
        SwapStep(next.pte.wrapping_sub(self.0.pte))
    }

    /// Returns this swap entry for the slot `nr` slots further on.
    #[inline]
    pub(crate) fn advance_swp_offset(mut self, step: SwapStep, nr: u32) -> Self {
        self.0.pte = self
            .0
            .pte
            .wrapping_add(step.0.wrapping_mul(nr as usize as bindings::pteval_t));
        self
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

/// The distance between the swap entries of two neighbouring slots.
///
/// An entry holds the offset as a number, on x86 inverted. Within the slots of one folio nothing
/// is carried out of it, so that the next entry is a sum instead of a conversion there and back.
#[derive(Clone, Copy)]
pub(crate) struct SwapStep(bindings::pteval_t);

/// What two entries of a batch have to agree on, and how far apart they are.
///
/// Outside Xen PV (see [`super::platform`]) the same as comparing them by `pte_same()` after
/// `pte_mkold()`, `pte_mkclean()` and, where contpte blocks do not matter, `pte_mknoncont()`, and
/// stepping on by `pte_advance_pfn()`, for a few instructions a page. Within one folio nothing is
/// carried out of the frame number.
#[derive(Clone, Copy)]
pub(crate) struct BatchPattern {
    mask: bindings::pteval_t,
    step: bindings::pteval_t,
}

impl BatchPattern {
    /// Returns whether both entries can be in one batch, at the same place.
    #[inline]
    pub(crate) fn alike(self, a: Pte, b: Pte) -> bool {
        (a.0.pte ^ b.0.pte) & self.mask == 0
    }

    /// Returns what `pte` would be for the page `nr` pages further on.
    #[inline]
    pub(crate) fn advance(self, mut pte: Pte, nr: u32) -> Pte {
        pte.0.pte = pte
            .0
            .pte
            .wrapping_add(self.step.wrapping_mul(nr as usize as bindings::pteval_t));
        pte
    }
}
