// SPDX-License-Identifier: GPL-2.0

//! One anonymous folio of a wanted order, naturally aligned, alone in its VMA.

use std::ops::Range;

use super::bytes;
use crate::knobs;
use crate::observe::{kpage, mthp, pagemap, smaps};
use crate::subject::{pattern_byte, Subject};
use crate::sys::page_size;
use crate::verdict::Stop;

/// The pattern that a new folio holds.
pub const SEED: u64 = 1;

/// How the page table maps the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// By one entry a page.
    Pte,
    /// By one entry of the level above.
    Pmd,
}

/// An anonymous folio.
#[derive(Clone, Copy, Debug)]
pub struct Folio {
    /// Where it is mapped.
    pub address: u64,
    /// How many pages it has.
    pub pages: usize,
    /// The logarithm of that.
    pub order: u32,
    /// Its first page frame.
    pub pfn: u64,
}

/// The first byte of a page of a new folio.
pub fn first_byte(address: u64) -> u8 {
    pattern_byte(address, SEED)
}

/// Empties the lists of all CPUs on which folios wait for the LRU.
pub fn drain_lists() -> Result<(), Stop> {
    // The page cache is of no interest; this empties them, too.
    Ok(knobs::write("/proc/sys/vm/drop_caches", "1")?)
}

/// Finds a place for memory of this length, aligned to it, mapped with `flags`.
///
/// What lies around it is of another protection, so that no VMA merges with it.
pub fn reserve(subject: &Subject<'_>, len: u64, flags: i32) -> Result<u64, Stop> {
    let flags = flags | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    let around = subject.map(2 * len + bytes(2), libc::PROT_NONE, flags, -1)?;
    Ok((around + bytes(1)).next_multiple_of(len))
}

impl Folio {
    /// Makes a folio in `subject`, filled with the pattern of [`SEED`], in memory mapped with
    /// `flags`: `MAP_PRIVATE` or something like it.
    pub fn make(
        subject: &Subject<'_>,
        order: u32,
        mapping: Mapping,
        flags: i32,
    ) -> Result<Self, Stop> {
        let address = reserve(subject, bytes(1 << order), flags)?;
        Self::make_at(subject, address, order, mapping)
    }

    /// Makes a folio at an address that is mapped, aligned to its size and not yet touched.
    pub fn make_at(
        subject: &Subject<'_>,
        address: u64,
        order: u32,
        mapping: Mapping,
    ) -> Result<Self, Stop> {
        let len = bytes(1 << order);
        let (size_kb, advice) = match order {
            0 => (None, libc::MADV_NOHUGEPAGE),
            _ => (Some(len as usize / 1024), libc::MADV_HUGEPAGE),
        };
        knobs::only_folios_of(size_kb)?;
        subject.large_folios(true)?;
        subject.protect(address, len, libc::PROT_READ | libc::PROT_WRITE)?;
        subject.madvise(address, len, advice)?;
        subject.fill(address, len, SEED)?;
        // From here on khugepaged must leave it as it is.
        subject.large_folios(false)?;
        if order == mthp::pmd_order() && mapping == Mapping::Pte {
            // A VMA that ends inside a PMD makes the kernel split the PMD, and nothing else.
            subject.madvise(address, len / 2, libc::MADV_DONTFORK)?;
            subject.madvise(address, len / 2, libc::MADV_DOFORK)?;
        }
        let first = pagemap::read(subject.pid, address, 1)?[0];
        let folio = Folio {
            address,
            pages: 1 << order,
            order,
            pfn: first
                .pfn()
                .ok_or(Stop::Fail("a page just written is not present".into()))?,
        };
        folio.settle(subject)?;
        let by_pmd = smaps::read(subject.pid, &[(address, len)])?.kb("AnonHugePages") != 0;
        if by_pmd != (mapping == Mapping::Pmd) {
            return Err(Stop::Skip(format!("not mapped by {mapping:?}")));
        }
        folio.prove()?;
        Ok(folio)
    }

    /// Gets it out of the per-CPU list on which a new one waits for the LRU: until then it has one
    /// more reference, and nobody can isolate it.
    pub fn settle(&self, subject: &Subject<'_>) -> Result<(), Stop> {
        let first = pagemap::read(subject.pid, self.address, 1)?[0];
        if first.pfn() == Some(self.pfn) && !kpage::flags(self.pfn, 1)?[0].has("lru") {
            drain_lists()?;
        }
        Ok(())
    }

    /// Its size.
    pub fn len(&self) -> u64 {
        bytes(self.pages)
    }

    /// A folio is never empty.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Where it ends.
    pub fn end(&self) -> u64 {
        self.address + self.len()
    }

    /// The address of page `i`.
    pub fn page(&self, i: usize) -> u64 {
        self.address + bytes(i)
    }

    /// Address and length of some of its pages.
    pub fn span(&self, pages: &Range<usize>) -> (u64, u64) {
        (self.page(pages.start), bytes(pages.len()))
    }

    /// Its size in KiB, as the kernel names the counters of such folios.
    pub fn size_kb(&self) -> usize {
        self.pages * page_size() / 1024
    }

    /// The counter of such folios called `name`; `None` for a single page, which has none.
    pub fn counter(&self, name: &str) -> Option<String> {
        (self.order > 0).then(|| format!("{}kB/{name}", self.size_kb()))
    }

    /// Compares with what the kernel shows of the page frames: is it one folio, of this order?
    pub fn prove(&self) -> Result<(), Stop> {
        let flags = kpage::flags(self.pfn, self.pages + 1)?;
        let fits = |i: usize| {
            flags[i].has("anon")
                && flags[i].has("head") == (i == 0 && self.order > 0)
                && flags[i].has("tail") == (i > 0)
        };
        let odd = (0..self.pages).find(|i| !fits(*i));
        match odd {
            Some(i) => Err(Stop::Skip(format!(
                "no folio of order {}: page {i} is {}",
                self.order,
                flags[i].names()
            ))),
            None if flags[self.pages].has("tail") => Err(Stop::Skip(format!(
                "the folio is larger than order {}",
                self.order
            ))),
            None => Ok(()),
        }
    }
}
