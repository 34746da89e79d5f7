// SPDX-License-Identifier: GPL-2.0

//! Walking all VMAs that may map an anonymous folio.
//!
//! C header: [`include/linux/rmap.h`](srctree/include/linux/rmap.h)

use super::{
    bindings,
    fault,
    folio::{
        Folio,
        LockedFolio, //
    },
    vma::Vma, //
};
use kernel::ffi::{
    c_int,
    c_ulong,
    c_void, //
};

pub(crate) use bindings::{
    ttu_flags_TTU_BATCH_FLUSH as TTU_BATCH_FLUSH,
    ttu_flags_TTU_HWPOISON as TTU_HWPOISON,
    ttu_flags_TTU_IGNORE_MLOCK as TTU_IGNORE_MLOCK,
    ttu_flags_TTU_SPLIT_HUGE_PMD as TTU_SPLIT_HUGE_PMD,
    ttu_flags_TTU_SYNC as TTU_SYNC, //
};

/// Calls `visit` with each VMA that may map the folio, and with the address where it would, until
/// the folio is not mapped any more or `visit` returns false.
///
/// Mirrors how `mm/rmap.c: try_to_unmap()` calls `rmap_walk()`.
///
/// Context: may sleep; takes the anon_vma lock.
pub(crate) fn rmap_walk<F: FnMut(&Vma, usize) -> bool>(folio: &LockedFolio<'_>, mut visit: F) {
    if fault::RMAP_WALK.should_fail() {
        return;
    }
    let mut control = bindings::rmap_walk_control {
        arg: (&raw mut visit).cast(),
        rmap_one: Some(rmap_one::<F>),
        done: Some(folio_not_mapped),
        anon_lock: Some(bindings::folio_lock_anon_vma_read),
        ..pin_init::zeroed()
    };
    // SAFETY: The folio is locked and anonymous, and not KSM's. `control` and the closure that it points to outlive the call,
    // which does not hand them to another thread.
    unsafe { bindings::rmap_walk(folio.as_ptr(), &mut control) }
}

/// # Safety
///
/// To be called by `rmap_walk()` only, with the `arg` that [`rmap_walk`] has given it.
unsafe extern "C" fn rmap_one<F: FnMut(&Vma, usize) -> bool>(
    _folio: *mut bindings::folio,
    vma: *mut bindings::vm_area_struct,
    address: c_ulong,
    arg: *mut c_void,
) -> bool {
    // SAFETY: `arg` is the closure of `rmap_walk()` above, which nobody else uses meanwhile.
    let visit = unsafe { &mut *arg.cast::<F>() };
    // SAFETY: The walk of an anonymous folio holds the anon_vma lock, which keeps the VMA and its bounds.
    let vma = unsafe { Vma::from_raw(vma) };
    visit(vma, address)
}

/// # Safety
///
/// `folio` must be kept by a reference.
unsafe extern "C" fn folio_not_mapped(folio: *mut bindings::folio) -> c_int {
    // SAFETY: By the safety contract.
    let folio = unsafe { Folio::from_raw(folio) };
    (!folio.is_mapped()).into()
}

/// No flag of the kernel, which looks at single ones and carries the others along: a call with it
/// is meant for the kernel's own `try_to_unmap_one()`, even where others are redirected.
pub(crate) const TTU_KERNEL: u32 = 1 << 30;

/// Has the kernel's own `try_to_unmap()` unmap the folio.
///
/// Context: may sleep.
pub(crate) fn kernel_try_to_unmap(folio: &LockedFolio<'_>, flags: u32) {
    // SAFETY: The folio is locked.
    unsafe { bindings::try_to_unmap(folio.as_ptr(), flags | TTU_KERNEL) }
}
