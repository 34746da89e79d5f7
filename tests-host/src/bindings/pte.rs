// SPDX-License-Identifier: GPL-2.0

//! Page table entries: flags in the lower half, a frame number or a swap offset in the upper.

use super::{
    pages::page,
    swap::{swp_entry_t, TYPE_HWPOISON, TYPE_SHIFT},
};

pub(crate) type pteval_t = u64;

pub(crate) const PRESENT: u64 = 1 << 0;
pub(crate) const WRITE: u64 = 1 << 1;
pub(crate) const DIRTY: u64 = 1 << 2;
pub(crate) const ACCESSED: u64 = 1 << 3;
pub(crate) const SOFT_DIRTY: u64 = 1 << 4;
pub(crate) const UFFD: u64 = 1 << 5;
/// A protection key: bits that have no meaning here, and must not be lost.
pub(crate) const PKEY: u64 = 3 << 6;
/// Part of a block of entries that are alike (arm64).
pub(crate) const CONT: u64 = 1 << 8;
/// What may differ between the entries of a block.
pub(crate) const LOOSE: u64 = DIRTY | ACCESSED;
/// The guest of a virtual machine does not need the content (s390).
pub(crate) const UNUSED: u64 = 1 << 9;

// Of entries that are not present.
pub(crate) const SWAP: u64 = 1 << 16;
pub(crate) const DEVICE_EXCLUSIVE: u64 = 1 << 17;
pub(crate) const HWPOISON: u64 = 1 << 18;
pub(crate) const SWP_EXCLUSIVE: u64 = 1 << 19;
pub(crate) const SWP_SOFT_DIRTY: u64 = 1 << 20;
pub(crate) const SWP_UFFD: u64 = 1 << 21;
/// Nothing is there, but userfaultfd protects it (`PTE_MARKER_UFFD_WP`).
pub(crate) const MARKER: u64 = 1 << 22;

const SHIFT: u32 = 32;

/// A swap offset is inverted, as on x86: the entry of the next slot is a smaller number.
fn inverted(flags: u64) -> u64 {
    if flags & SWAP != 0 {
        u32::MAX.into()
    } else {
        0
    }
}

/// An entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct pte_t {
    pub(crate) pte: u64,
}

/// What an entry that is not present stands for.
#[derive(Clone, Copy)]
pub(crate) struct softleaf_t(pte_t);

impl pte_t {
    pub(crate) fn new(number: usize, flags: u64) -> Self {
        let number = number as u64 ^ inverted(flags);
        Self {
            pte: (number << SHIFT) | flags,
        }
    }

    pub(crate) fn has(self, flags: u64) -> bool {
        self.pte & flags == flags
    }

    /// The frame number or the swap offset.
    pub(crate) fn number(self) -> usize {
        ((self.pte ^ (inverted(self.pte) << SHIFT)) >> SHIFT) as usize
    }

    /// Nothing is lost by overwriting it.
    pub(crate) fn is_none(self) -> bool {
        self.pte == 0 || self.has(MARKER)
    }

    pub(crate) fn with(self, flags: u64) -> Self {
        Self {
            pte: self.pte | flags,
        }
    }

    pub(crate) fn without(self, flags: u64) -> Self {
        Self {
            pte: self.pte & !flags,
        }
    }

    /// The frame number of the page that it maps, present or not.
    pub(crate) fn mapped_pfn(self) -> Option<usize> {
        (self.has(PRESENT) || self.has(DEVICE_EXCLUSIVE)).then(|| self.number())
    }
}

macro_rules! tests {
    ($($name:ident = $flag:ident,)*) => {
        $(pub(crate) unsafe fn $name(pte: pte_t) -> bool {
            pte.has($flag)
        })*
    };
}

tests! {
    pte_present = PRESENT,
    pte_dirty = DIRTY,
    pte_soft_dirty = SOFT_DIRTY,
    pte_uffd = UFFD,
    pte_unused = UNUSED,
    pte_swp_soft_dirty = SWP_SOFT_DIRTY,
    pte_swp_uffd = SWP_UFFD,
}

macro_rules! setters {
    ($($name:ident = $flag:ident,)*) => {
        $(pub(crate) unsafe fn $name(pte: pte_t) -> pte_t {
            check!(pte.has(SWAP), "{} of an entry that is no swap entry", stringify!($name));
            pte.with($flag)
        })*
    };
}

setters! {
    pte_swp_mkexclusive = SWP_EXCLUSIVE,
    pte_swp_mksoft_dirty = SWP_SOFT_DIRTY,
    pte_swp_mkuffd = SWP_UFFD,
}

pub(crate) unsafe fn pte_pfn(pte: pte_t) -> usize {
    check!(pte.has(PRESENT), "frame number of an entry that has none");
    pte.number()
}

pub(crate) unsafe fn pte_advance_pfn(pte: pte_t, nr: usize) -> pte_t {
    check!(pte.has(PRESENT), "next frame of an entry that has none");
    pte_t {
        pte: pte.pte + ((nr as u64) << SHIFT),
    }
}

#[cfg(CONFIG_X86)]
pub(crate) unsafe fn pte_clear_soft_dirty(pte: pte_t) -> pte_t {
    pte.without(SOFT_DIRTY)
}

#[cfg(CONFIG_X86)]
pub(crate) unsafe fn pte_young(pte: pte_t) -> bool {
    pte.has(ACCESSED)
}

#[cfg(CONFIG_X86)]
pub(crate) unsafe fn pte_mkyoung(pte: pte_t) -> pte_t {
    pte.with(ACCESSED)
}

/// Stands for a write, on x86.
#[cfg(CONFIG_X86)]
pub(crate) unsafe fn pte_mkdirty(pte: pte_t) -> pte_t {
    pte.with(DIRTY | SOFT_DIRTY)
}

pub(crate) unsafe fn pte_next_swp_offset(pte: pte_t) -> pte_t {
    check!(!pte.has(PRESENT), "next offset of an entry that has none");
    pte_t::new(pte.number() + 1, pte.pte & ((1 << SHIFT) - 1))
}

pub(crate) unsafe fn swp_entry_to_pte(entry: swp_entry_t) -> pte_t {
    let offset = entry.val & ((1 << TYPE_SHIFT) - 1);
    match entry.val >> TYPE_SHIFT {
        TYPE_HWPOISON => pte_t::new(offset, HWPOISON),
        kind => {
            check_eq!(kind, 0, "another swap device");
            pte_t::new(offset, SWAP)
        }
    }
}

pub(crate) unsafe fn make_hwpoison_entry(page: *mut page) -> swp_entry_t {
    swp_entry_t {
        val: (TYPE_HWPOISON << TYPE_SHIFT) | (*page).pfn,
    }
}

pub(crate) unsafe fn softleaf_from_pte(pte: pte_t) -> softleaf_t {
    softleaf_t(pte)
}

pub(crate) unsafe fn softleaf_to_pfn(entry: softleaf_t) -> usize {
    check!(entry.0.has(DEVICE_EXCLUSIVE), "an entry that maps no page");
    entry.0.number()
}
