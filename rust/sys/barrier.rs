// SPDX-License-Identifier: GPL-2.0

//! Memory barriers. Those that the `kernel` crate has are function calls on kernels that do not
//! inline Rust's helpers (`CONFIG_RUST_INLINE_HELPERS`), as Debian's; there is one for each batch.
//!
//! C header: [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h)

use super::bindings;

/// Keeps the compiler from moving memory accesses across (`barrier()`).
#[inline]
pub(crate) fn barrier() {
    // SAFETY: There is no instruction, and the assembler code may access any memory.
    unsafe { core::arch::asm!("", options(nostack, preserves_flags)) }
}

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
    barrier();
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
