// SPDX-License-Identifier: GPL-2.0

//! The path: unmapping an anonymous folio in batches of page table entries.
//!
//! Mirrors `try_to_unmap()` and what is below it in [`mm/rmap.c`](srctree/mm/rmap.c), for
//! anonymous folios. The files follow the data: [`one`] finds the entries of a VMA and clears a
//! batch ([`batch`], [`unmap_batch`]), [`flush`] has the TLB forget them, and [`lazyfree`] or
//! [`swapbacked`] (with [`swap_dup`] and [`share`]) say what takes their place. What is not
//! committed is restored by [`crate::sys::cleared::ClearedPtes`].
//!
//! Lock order, outermost first: folio lock, anon_vma lock, page table lock, swap cluster lock or
//! `mmlist_lock`.

pub(crate) mod batch;
pub(crate) mod flags;
mod flush;
mod lazyfree;
mod one;
mod share;
pub(crate) mod swap_dup;
mod swapbacked;
pub(crate) mod tally;
mod unmap_batch;

use crate::sys::{
    folio::LockedFolio,
    rmap, //
};
use flags::TtuFlags;
use tally::Tally;

pub(crate) use crate::sys::mm::PAGE_SIZE;
pub(crate) use one::try_to_unmap_one;

/// Tries to remove all page table entries that map an anonymous folio, of all processes.
///
/// What was taken and where it stopped is added to `tally`. Whether the folio is still mapped is
/// for the caller to see. The caller also has to do the TLB flushes that were put off
/// ([`crate::sys::tlb::try_to_unmap_flush`]) before the folio is let go.
///
/// Mirrors `try_to_unmap()` in [`mm/rmap.c`](srctree/mm/rmap.c).
///
/// Context: may sleep.
pub(crate) fn try_to_unmap(folio: &LockedFolio<'_>, flags: TtuFlags, tally: &mut Tally) {
    rmap::rmap_walk(folio, |vma, address| {
        try_to_unmap_one(folio, vma, address, flags, tally)
    });
}
