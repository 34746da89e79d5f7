// SPDX-License-Identifier: GPL-2.0

//! One page of an anonymous folio.
//!
//! C header: [`include/linux/page-flags.h`](srctree/include/linux/page-flags.h)

use super::{
    bindings,
    cleared::ClearedPtes,
    folio::Folio, //
};
use core::marker::PhantomData;

/// A page of a folio that is kept alive for `'a`.
///
/// # Invariants
///
/// `page` points to the `struct page` number `index` of a folio that lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Page<'a> {
    page: *mut bindings::page,
    index: usize,
    _folio: PhantomData<&'a Folio>,
}

impl<'a> Page<'a> {
    /// Creates the `index`-th page of a folio.
    ///
    /// # Safety
    ///
    /// `page` must point to page number `index` of a folio that lives for `'a`.
    pub(super) unsafe fn from_raw(page: *mut bindings::page, index: usize) -> Self {
        // INVARIANT: By the safety contract.
        Self {
            page,
            index,
            _folio: PhantomData,
        }
    }

    /// Returns the raw pointer.
    pub(super) fn as_ptr(&self) -> *mut bindings::page {
        self.page
    }

    /// Returns the position of the page in its folio, in pages.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Returns whether the page belongs to one process alone (`PageAnonExclusive()`).
    ///
    /// Stable while the page table lock is held and the page is mapped there.
    #[inline]
    pub(crate) fn anon_exclusive(&self) -> bool {
        // SAFETY: By the type invariants, this is a page of a living folio.
        unsafe { bindings::PageAnonExclusive(self.page) != 0 }
    }

    /// Marks the page as possibly shared (`ClearPageAnonExclusive()`).
    ///
    /// That its entry is cleared, as it has to be, is what `_cleared` shows.
    #[inline]
    pub(crate) fn clear_anon_exclusive(&self, _cleared: &ClearedPtes<'_, '_>) {
        // SAFETY: By the type invariants, this is a page of a living folio.
        unsafe { bindings::ClearPageAnonExclusive(self.page) }
    }
}
