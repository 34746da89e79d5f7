// SPDX-License-Identifier: GPL-2.0

//! Memory tags: four bits for each 16 bytes, apart from the content.

#[cfg(target_arch = "aarch64")]
use std::arch::asm;

const GRANULE: u64 = 16;
#[cfg(target_arch = "aarch64")]
const SHIFT: u32 = 56;

/// Writes the tags of a pattern.
///
/// # Safety
///
/// `[start, start + len)` is mapped with `PROT_MTE`, and the machine has memory tagging.
pub unsafe fn fill(start: u64, len: u64, tag: impl Fn(u64) -> u64) {
    for at in (start..start + len).step_by(GRANULE as usize) {
        // SAFETY: Inside the range that the caller vouches for.
        unsafe { store(at, tag(at) & 0xf) };
    }
}

/// Compares the tags with a pattern: the first address that differs, or 0.
///
/// # Safety
///
/// As for `fill()`.
pub unsafe fn compare(start: u64, len: u64, tag: impl Fn(u64) -> u64) -> u64 {
    (start..start + len)
        .step_by(GRANULE as usize)
        // SAFETY: Inside the range that the caller vouches for.
        .find(|at| unsafe { load(*at) } != tag(*at) & 0xf)
        .unwrap_or(0)
}

#[cfg(target_arch = "aarch64")]
unsafe fn store(at: u64, tag: u64) {
    // SAFETY: The caller vouches for the address; this changes no byte of content.
    unsafe {
        asm!(".arch_extension memtag", "stg {tag}, [{at}]", at = in(reg) at, tag = in(reg) tag << SHIFT);
    }
}

#[cfg(target_arch = "aarch64")]
unsafe fn load(at: u64) -> u64 {
    let mut tag = 0u64;
    // SAFETY: The caller vouches for the address.
    unsafe {
        asm!(".arch_extension memtag", "ldg {tag}, [{at}]", at = in(reg) at, tag = inout(reg) tag);
    }
    tag >> SHIFT & 0xf
}

#[cfg(not(target_arch = "aarch64"))]
unsafe fn store(_: u64, _: u64) {}

#[cfg(not(target_arch = "aarch64"))]
unsafe fn load(_: u64) -> u64 {
    u64::MAX
}
