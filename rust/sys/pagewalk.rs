// SPDX-License-Identifier: GPL-2.0

//! Looking up the folio that is mapped at an address.
//!
//! C header: [`include/linux/pagewalk.h`](srctree/include/linux/pagewalk.h)

use super::{
    bindings,
    fault,
    folio::{
        Folio,
        FolioRef, //
    },
    mm::MmapReadGuard,
    vma::Vma, //
};
use core::mem::MaybeUninit;

/// Returns the folio that is mapped at `address` of `vma`, counted, if there is one. The VMA must be
/// one of those that the lock is for.
///
/// Folios that are not in the hands of memory management (device memory, `VM_PFNMAP`) are not
/// found; the shared page of zeros is.
///
/// Mirrors the use of `folio_walk_start()` in `mm/huge_memory.c: split_huge_pages_pid()`.
pub(crate) fn folio_at(_lock: &MmapReadGuard<'_>, vma: &Vma, address: usize) -> Option<FolioRef> {
    if !vma.range().contains(&address) || fault::FOLIO_WALK.should_fail() {
        return None;
    }
    let mut walk = MaybeUninit::uninit();
    // SAFETY: The mmap lock of the VMA's mm is held, and the address is within the VMA. While a folio is found,
    // the page table lock is held, so that its mapping keeps it until it is counted.
    unsafe {
        let folio = bindings::folio_walk_start(
            walk.as_mut_ptr(),
            vma.as_ptr(),
            address,
            bindings::FW_ZEROPAGE as bindings::folio_walk_flags_t,
        );
        if folio.is_null() {
            return None;
        }
        let found = FolioRef::get(Folio::from_raw(folio));
        bindings::folio_walk_end(walk.as_mut_ptr(), vma.as_ptr());
        Some(found)
    }
}
