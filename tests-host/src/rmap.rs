// SPDX-License-Identifier: GPL-2.0

//! The walk over all VMAs, without the C function and its callbacks, through which a test that
//! fails could not unwind.

use super::{
    bindings::{self, PAGE_SIZE, WALKED},
    folio::LockedFolio,
    vma::Vma,
};

pub(crate) use bindings::{
    ttu_flags_TTU_BATCH_FLUSH as TTU_BATCH_FLUSH, ttu_flags_TTU_HWPOISON as TTU_HWPOISON,
    ttu_flags_TTU_IGNORE_MLOCK as TTU_IGNORE_MLOCK,
    ttu_flags_TTU_SPLIT_HUGE_PMD as TTU_SPLIT_HUGE_PMD, ttu_flags_TTU_SYNC as TTU_SYNC,
};

/// As in `rust/sys/rmap.rs`.
pub(crate) const TTU_KERNEL: u32 = 1 << 30;

/// As `rmap_walk()` in `mm/rmap.c`.
pub(crate) fn rmap_walk<F: FnMut(&Vma, usize) -> bool>(folio: &LockedFolio<'_>, mut visit: F) {
    // SAFETY: The model keeps the folio and its VMAs, and everything is single-threaded.
    let vmas = unsafe { (*folio.as_ptr()).vmas.clone() };
    for raw in vmas {
        // SAFETY: As above.
        let (vma, first) = unsafe { (Vma::from_raw(raw), (*raw).folio_address) };
        let range = vma.range();
        if first + folio.nr_pages() * PAGE_SIZE <= range.start || first >= range.end {
            continue;
        }
        let go_on = visit(vma, first.max(range.start));
        assert!(WALKED.get().0.is_null(), "a page table is still locked");
        if !go_on || !folio.is_mapped() {
            break;
        }
    }
}

/// The kernel's own path: there is none here.
pub(crate) fn kernel_try_to_unmap(_folio: &LockedFolio<'_>, _flags: u32) {
    panic!("the kernel's own path is not modelled")
}
