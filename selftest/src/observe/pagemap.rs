// SPDX-License-Identifier: GPL-2.0

//! `/proc/PID/pagemap`: one 64-bit entry a page.
//!
//! Documentation/admin-guide/mm/pagemap.rst. Bit 56 says that the page is mapped once, and of
//! present pages only. That is not `PageAnonExclusive`: a page can be mapped once and yet be one
//! that a write must copy. What the tests know of exclusivity comes from how the folio was shaped,
//! and is judged by what a write does (see `scenario::course`).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::sys::page_size;

/// What pagemap says of one page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry(pub u64);

impl Entry {
    const FRAME: u64 = (1 << 55) - 1;
    const SWAP_TYPE_BITS: u32 = 5;

    fn bit(self, bit: u32) -> bool {
        self.0 & (1 << bit) != 0
    }

    /// A page is mapped.
    pub fn present(self) -> bool {
        self.bit(63)
    }

    /// A swap entry, or another entry that is not present.
    pub fn swapped(self) -> bool {
        self.bit(62)
    }

    /// The page is of a file, or shared memory.
    pub fn file(self) -> bool {
        self.bit(61)
    }

    /// The entry is write-protected by userfaultfd.
    pub fn uffd_wp(self) -> bool {
        self.bit(57)
    }

    /// The present page is mapped once.
    pub fn mapped_once(self) -> bool {
        self.bit(56)
    }

    /// Written to since `clear_refs`.
    pub fn soft_dirty(self) -> bool {
        self.bit(55)
    }

    /// The page frame of a present page.
    pub fn pfn(self) -> Option<u64> {
        self.present().then_some(self.0 & Self::FRAME)
    }

    /// The number of the swap device.
    pub fn swap_type(self) -> Option<u64> {
        let mask = (1 << Self::SWAP_TYPE_BITS) - 1;
        self.swapped().then_some(self.0 & mask)
    }

    /// The slot on the swap device.
    pub fn swap_offset(self) -> Option<u64> {
        self.swapped()
            .then_some((self.0 & Self::FRAME) >> Self::SWAP_TYPE_BITS)
    }

    /// The entry without the frame or the swap slot.
    pub fn flags(self) -> u64 {
        self.0 & !Self::FRAME
    }
}

/// Reads the entries of `pages` pages from `address` on.
pub fn read(pid: i32, address: u64, pages: usize) -> io::Result<Vec<Entry>> {
    let file = File::open(format!("/proc/{pid}/pagemap"))?;
    let mut raw = vec![0; pages * 8];
    file.read_exact_at(&mut raw, address / page_size() as u64 * 8)?;
    Ok(raw
        .chunks_exact(8)
        .map(|c| Entry(u64::from_ne_bytes(c.try_into().unwrap_or_default())))
        .collect())
}
