// SPDX-License-Identifier: GPL-2.0

//! What a caller of the path asks for.

use crate::sys::rmap;
use core::ops::BitOr;

/// The `TTU_*` flags (`enum ttu_flags` in [`include/linux/rmap.h`](srctree/include/linux/rmap.h)).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TtuFlags(u32);

impl TtuFlags {
    /// Split a PMD mapping into one of page table entries first (`TTU_SPLIT_HUGE_PMD`).
    pub(crate) const SPLIT_HUGE_PMD: Self = Self(rmap::TTU_SPLIT_HUGE_PMD);
    /// Unmap from mlocked VMAs, too (`TTU_IGNORE_MLOCK`).
    pub(crate) const IGNORE_MLOCK: Self = Self(rmap::TTU_IGNORE_MLOCK);
    /// Look at empty entries under the page table lock (`TTU_SYNC`).
    pub(crate) const SYNC: Self = Self(rmap::TTU_SYNC);
    /// The memory is broken (`TTU_HWPOISON`).
    pub(crate) const HWPOISON: Self = Self(rmap::TTU_HWPOISON);
    /// TLB flushes may be put off to the end of the caller's batch (`TTU_BATCH_FLUSH`).
    pub(crate) const BATCH_FLUSH: Self = Self(rmap::TTU_BATCH_FLUSH);
    /// Leave the call to the kernel, whatever is redirected (no flag of the kernel).
    pub(crate) const KERNEL: Self = Self(rmap::TTU_KERNEL);

    /// Takes the flags as a C caller has given them.
    pub(crate) fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Returns whether all flags of `other` are set.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the flags without those of `other`.
    pub(crate) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Returns the raw value, as the C functions take it.
    pub(crate) fn bits(self) -> u32 {
        self.0
    }
}

impl BitOr for TtuFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
