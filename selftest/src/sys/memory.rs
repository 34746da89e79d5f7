// SPDX-License-Identifier: GPL-2.0

//! A process's own memory.

use std::io;

use super::cvt;

/// Maps memory, has it populated, and unmaps it.
pub fn churn_memory(len: usize) -> io::Result<()> {
    let base = map_anon(len)?.cast();
    // SAFETY: The memory was just mapped, and nobody else knows it.
    unsafe {
        let populated = libc::madvise(base, len, libc::MADV_POPULATE_WRITE);
        libc::munmap(base, len);
        cvt(i64::from(populated)).map(drop)
    }
}

/// Maps anonymous memory.
pub fn map_anon(len: usize) -> io::Result<*mut u8> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: A new mapping at an address of the kernel's choice touches no existing memory.
    match unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        base => Ok(base.cast()),
    }
}

/// `madvise(2)`.
pub fn madvise(address: u64, len: usize, advice: i32) -> io::Result<()> {
    // SAFETY: No advice that is given here takes away what Rust relies on: only the tests' own
    // memory, which is not reached through references, loses its content.
    cvt(unsafe { libc::madvise(address as *mut _, len, advice) }.into()).map(drop)
}

/// Makes memory writable, or read-only.
pub fn protect(address: u64, len: usize, write: bool) -> io::Result<()> {
    let prot = if write { libc::PROT_WRITE } else { 0 } | libc::PROT_READ;
    // SAFETY: It stays mapped and readable. Who writes to what is read-only dies of SIGSEGV.
    cvt(unsafe { libc::mprotect(address as *mut _, len, prot) }.into()).map(drop)
}

/// Has all threads of this process share one heap, which grows without mapping memory.
pub fn one_heap() {
    // malloc.h
    const M_ARENA_MAX: i32 = -8;
    // SAFETY: This sets a number.
    unsafe { libc::mallopt(M_ARENA_MAX, 1) };
}

/// Copies memory of this process by `process_vm_readv(2)`; returns how much of it.
pub fn copy_own(from: u64, to: &mut [u8]) -> io::Result<usize> {
    let iovec = |base, len| libc::iovec {
        iov_base: base as *mut _,
        iov_len: len,
    };
    let (here, there) = (
        iovec(to.as_mut_ptr() as u64, to.len()),
        iovec(from, to.len()),
    );
    // SAFETY: There is room for as much in `to`; the kernel checks whether there is something at
    // `from`.
    let copied = unsafe {
        let pid = std::process::id() as i32;
        libc::process_vm_readv(pid, &here, 1, &there, 1, 0)
    };
    cvt(copied as i64).map(|n| n as usize)
}

/// Keeps this process, not those that it forks, out of swap.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: `mlockall()` has no memory preconditions.
    cvt(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) }.into()).map(drop)
}

/// Allows or forbids large folios to this process and those that it forks.
pub fn large_folios(allow: bool) {
    // SAFETY: This operation takes numbers only.
    unsafe {
        libc::prctl(
            libc::PR_SET_THP_DISABLE,
            libc::c_ulong::from(!allow),
            0,
            0,
            0,
        )
    };
}
