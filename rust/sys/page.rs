// SPDX-License-Identifier: GPL-2.0

//! Pages of an anonymous folio.
//!
//! C header: [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h)

use super::{
    bindings,
    cleared::ClearedPtes,
    folio::Folio, //
};
use crate::ttu::batch::BatchLen;
use core::marker::PhantomData;

/// A page of a folio that is kept alive for `'a`.
///
/// # Invariants
///
/// `page` points to the `struct page` number `index` of a folio that lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    page: *mut bindings::page,
    index: u32,
    _folio: PhantomData<&'a Folio>,
}

impl<'a> Page<'a> {
    /// Returns the first page of a folio.
    #[inline]
    pub(super) fn first_of(folio: &'a Folio) -> Self {
        // INVARIANT: A folio begins with its first page.
        Self {
            page: folio.as_ptr().cast(),
            index: 0,
            _folio: PhantomData,
        }
    }

    /// Returns the page `nr` pages further on in the same folio (`folio_page()`).
    ///
    /// # Safety
    ///
    /// The folio must have it.
    #[inline]
    pub(super) unsafe fn add(self, nr: u32) -> Self {
        // INVARIANT: By the safety contract; the pages of a folio follow each other.
        Self {
            // SAFETY: As above.
            page: unsafe { self.page.add(nr as usize) },
            // No overflow; what the compiler is told of this saves it a check for each page.
            index: self.index.wrapping_add(nr),
            _folio: PhantomData,
        }
    }

    /// Returns the raw pointer.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut bindings::page {
        self.page
    }

    /// `folio_page_idx()`: the position of the page in its folio, in pages.
    #[inline]
    pub(crate) fn folio_page_idx(&self) -> u32 {
        self.index
    }

    /// Returns whether the page belongs to one process alone (`PageAnonExclusive()`, which has to
    /// ask for hugetlb first).
    ///
    /// Stable while the page table lock is held and the page is mapped there.
    #[inline]
    pub(crate) fn anon_exclusive(&self) -> bool {
        // SAFETY: By the type invariants, this is a page of a living folio. Its flags may change
        // at any time, by atomic operations.
        let flags = unsafe { (&raw const (*self.page).flags.f).read_volatile() };
        flags & bindings::PG_ANON_EXCLUSIVE != 0
    }
}

/// Pages of one folio that follow each other: at least one.
///
/// # Invariants
///
/// The folio has `nr` pages from `first` on.
#[derive(Clone, Copy)]
pub(crate) struct Pages<'a> {
    first: Page<'a>,
    nr: BatchLen,
}

impl<'a> Pages<'a> {
    /// Takes `nr` pages from `first` on.
    ///
    /// # Safety
    ///
    /// The folio must have them.
    #[inline]
    pub(super) unsafe fn new(first: Page<'a>, nr: BatchLen) -> Self {
        // INVARIANT: By the safety contract.
        Self { first, nr }
    }

    /// Returns the first page.
    #[inline]
    pub(crate) fn first(&self) -> Page<'a> {
        self.first
    }

    /// Returns how many pages there are.
    #[inline]
    pub(crate) fn nr(&self) -> BatchLen {
        self.nr
    }

    /// Returns the page `index` places behind the first one, if it belongs to these.
    #[inline]
    pub(crate) fn get(&self, index: u32) -> Option<Page<'a>> {
        // SAFETY: By the type invariants the folio has the page when it is one of these.
        (index < self.nr.get()).then(|| unsafe { self.first.add(index) })
    }

    /// Returns the first `nr` of them, or all if there are no more.
    #[inline]
    pub(crate) fn front(&self, nr: BatchLen) -> Self {
        // INVARIANT: No more than there were.
        Self {
            first: self.first,
            nr: self.nr.min(nr),
        }
    }

    /// Returns those behind the first `nr`, if there are any.
    #[inline]
    pub(crate) fn behind(&self, nr: u32) -> Option<Self> {
        let rest = BatchLen::new(self.nr.get().saturating_sub(nr))?;
        // SAFETY: There is a rest, which begins within the folio.
        let first = unsafe { self.first.add(nr) };
        // INVARIANT: The rest of what there was.
        Some(Self { first, nr: rest })
    }

    /// Marks the pages as possibly shared (`ClearPageAnonExclusive()`).
    ///
    /// That their entries are cleared, as they have to be, is what `_cleared` shows.
    #[inline]
    pub(crate) fn clear_anon_exclusive(&self, _cleared: &ClearedPtes<'_, '_>) {
        // SAFETY: By the type invariants, these are pages of a living folio.
        unsafe { bindings::ClearPageAnonExclusive(self.first.page, self.nr.get()) }
    }
}
