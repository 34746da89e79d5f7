// SPDX-License-Identifier: GPL-2.0

//! Folios that are mapped in part, in several VMAs or page tables, or where they were not made.

use std::ops::Range;

use super::make::{exclusive, forked};
use super::{bytes, model, Folio, Mapping, Page, Shape};
use crate::knobs;
use crate::observe::mthp;
use crate::subject::{Family, Subject};
use crate::verdict::Stop;

/// How a part of a folio is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hole {
    /// By `munmap(2)`, which splits the VMA.
    Munmap,
    /// By `MADV_DONTNEED`, which does not.
    DontNeed,
}

/// A choice among the pages of a folio, by their number.
pub type Choice = fn(usize) -> bool;

/// Where a VMA is split so that the page table entries stay the same.
pub const SPLIT_ADVICE: i32 = libc::MADV_DONTDUMP;

/// A folio of which the process has let some pages go: those for which `gone` is true.
pub fn holes(
    family: &Family,
    order: u32,
    mapping: Mapping,
    (hole, gone): (Hole, Choice),
) -> Result<Shape<'_>, Stop> {
    let mut shape = exclusive(family, order, mapping)?;
    let runs: Vec<_> = model::ranges(shape.folio.pages, &gone).collect();
    for run in &runs {
        shape.let_go(hole, run)?;
        if hole == Hole::Munmap {
            shape.new_part(&(run.end..shape.folio.pages));
        }
    }
    shape.proved()
}

/// A folio whose first page is mapped `pages` pages behind the beginning of a page table, or in
/// front of its end if that is negative.
pub fn moved(family: &Family, order: u32, pages: isize) -> Result<Shape<'_>, Stop> {
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let all = 0..shape.folio.pages;
    let to = shape.room(pages)?;
    shape.move_to(&all, to)?;
    shape.proved()
}

/// A folio of which `pages` are mapped elsewhere.
pub fn half_moved(family: &Family, order: u32, pages: Range<usize>) -> Result<Shape<'_>, Stop> {
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let to = shape.room(5)?;
    shape.move_to(&pages, to)?;
    shape.proved()
}

/// A folio in two VMAs that differ in nothing that a page table entry shows.
pub fn two_vmas(
    family: &Family,
    order: u32,
    mapping: Mapping,
    at: usize,
) -> Result<Shape<'_>, Stop> {
    let mut shape = exclusive(family, order, mapping)?;
    let rest = at..shape.folio.pages;
    let (address, len) = shape.folio.span(&rest);
    shape.subjects[0].madvise(address, len, SPLIT_ADVICE)?;
    shape.new_part(&rest);
    shape.proved()
}

/// A folio of which `pages` are read-only: two or three VMAs, and write bits that differ.
pub fn partly_read_only(
    family: &Family,
    order: u32,
    mapping: Mapping,
    pages: Range<usize>,
) -> Result<Shape<'_>, Stop> {
    let mut shape = exclusive(family, order, mapping)?;
    shape.read_only(&pages)?;
    for i in pages.clone() {
        shape.pages[0][i] = Some(Page {
            writable: false,
            ..Page::exclusive()
        });
    }
    shape.new_part(&pages);
    shape.proved()
}

/// A folio that one process maps by a PMD entry, and its child by a page table.
pub fn by_pmd_and_pte(family: &Family) -> Result<Shape<'_>, Stop> {
    let shape = forked(family, mthp::pmd_order(), Mapping::Pmd, 2)?;
    let folio = shape.folio;
    // A VMA that ends inside a PMD makes the kernel split the PMD, and nothing else.
    shape.subjects[1].madvise(folio.address, folio.len() / 2, libc::MADV_DONTFORK)?;
    shape.subjects[1].madvise(folio.address, folio.len() / 2, libc::MADV_DOFORK)?;
    shape.proved()
}

/// A folio shared with `children` processes, all but one of which have let the first half go: of
/// the slots of one run, some have many users and others few.
pub fn unequal_counts(family: &Family, order: u32, children: usize) -> Result<Shape<'_>, Stop> {
    let mut shape = forked(family, order, Mapping::Pte, 1 + children)?;
    let folio = shape.folio;
    let half = folio.pages / 2;
    for k in 2..=children {
        shape.subjects[k].madvise(folio.address, bytes(half), libc::MADV_DONTNEED)?;
        shape.pages[k][..half].fill(None);
    }
    shape.proved()
}

/// A folio of `order` with neighbours of the same order on both sides: in the page table, and in
/// memory as well. Its first `gone` pages are not mapped, so that a batch begins behind them.
pub fn between_neighbours(family: &Family, order: u32, gone: usize) -> Result<Shape<'_>, Stop> {
    let subject = family.spawn()?;
    let whole = Folio::make(&subject, mthp::pmd_order(), Mapping::Pte, libc::MAP_PRIVATE)?;
    split(&subject, &whole, order)?;
    let pages = 1 << order;
    let folio = Folio {
        address: whole.page(pages),
        pages,
        order,
        pfn: whole.pfn + pages as u64,
    };
    folio.settle(&subject)?;
    let mut shape = Shape::new(subject, folio);
    if gone > 0 {
        shape.let_go(Hole::DontNeed, &(0..gone))?;
    }
    shape.proved()
}

/// Has the kernel split a folio into smaller ones.
fn split(subject: &Subject<'_>, folio: &Folio, order: u32) -> Result<(), Stop> {
    const SPLIT: &str = "/sys/kernel/debug/split_huge_pages";
    let (from, to) = (folio.address, folio.end());
    knobs::write(SPLIT, &format!("{},{from:#x},{to:#x},{order}", subject.pid))
        .map_err(|e| Stop::Skip(format!("cannot split a folio: {e}")))
}

impl Shape<'_> {
    /// Lets pages of the first process go.
    pub fn let_go(&mut self, hole: Hole, pages: &Range<usize>) -> Result<(), Stop> {
        let (at, len) = self.folio.span(pages);
        match hole {
            Hole::Munmap => self.subjects[0].unmap(at, len)?,
            Hole::DontNeed => self.subjects[0].madvise(at, len, libc::MADV_DONTNEED)?,
        }
        self.pages[0][pages.clone()].fill(None);
        Ok(())
    }

    /// An address with room for the folio around it, `pages` pages behind (or in front of) the
    /// border of two page tables.
    pub fn room(&self, pages: isize) -> Result<u64, Stop> {
        let table = bytes(1 << mthp::pmd_order());
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let around = self.subjects[0].map(4 * table, libc::PROT_NONE, flags, -1)?;
        let border = (around + table).next_multiple_of(table);
        Ok(border.wrapping_add_signed(pages as i64 * bytes(1) as i64))
    }

    /// Moves pages of the first process to an address that is mapped.
    pub fn move_to(&mut self, pages: &Range<usize>, to: u64) -> Result<(), Stop> {
        let (at, len) = self.folio.span(pages);
        self.subjects[0].remap(at, len, to)?;
        self.moved.push((pages.clone(), to));
        self.new_part(pages);
        let table = bytes(1 << mthp::pmd_order());
        let border = to.next_multiple_of(table);
        if to < border && border < to + len {
            let behind = pages.start + ((border - to) / bytes(1)) as usize;
            self.new_part(&(behind..pages.end));
        }
        Ok(())
    }

    /// Says that a batch cannot reach across the edges of these pages.
    pub fn new_part(&mut self, pages: &Range<usize>) {
        let mapped = self.pages.iter().flatten().flatten();
        let next = mapped.map(|p| p.part).max().unwrap_or(0) + 1;
        for process in &mut self.pages {
            for page in process[pages.clone()].iter_mut().flatten() {
                page.part = next;
            }
        }
    }
}
