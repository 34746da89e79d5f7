// SPDX-License-Identifier: GPL-2.0

//! Memory barriers that the `kernel` crate does not offer.
//!
//! C header: [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h)

use super::bindings;
#[cfg(CONFIG_X86)]
use core::sync::atomic;

/// Full barrier between CPUs (`smp_mb()`).
#[inline]
pub(crate) fn smp_mb() {
    // SAFETY: A barrier has no preconditions.
    unsafe { bindings::smp_mb() }
}

/// Makes the read-modify-write operation before it a full barrier (`smp_mb__after_atomic()`).
#[inline]
pub(crate) fn smp_mb_after_atomic() {
    // On x86, such an operation is one by itself.
    #[cfg(CONFIG_X86)]
    atomic::compiler_fence(atomic::Ordering::SeqCst);
    #[cfg(not(CONFIG_X86))]
    // SAFETY: A barrier has no preconditions.
    unsafe {
        bindings::smp_mb__after_atomic()
    }
}

/// Orders the reads before it with the reads after it (`smp_rmb()`).
#[inline]
pub(crate) fn smp_rmb() {
    // SAFETY: A barrier has no preconditions.
    unsafe { bindings::smp_rmb() }
}
