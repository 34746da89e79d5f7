// SPDX-License-Identifier: GPL-2.0

//! Folios that are wholly mapped, in one VMA of each process.

use super::folio;
use super::model::{self, Page};
use super::{Folio, Mapping, Shape};
use crate::observe::{pagemap, smaps};
use crate::subject::{Family, Subject};
use crate::verdict::Stop;

/// Write bits of a folio of which a part is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteBits {
    /// The VMA is read-only, so that no entry is writable: one batch has many runs.
    Equal,
    /// Entries of exclusive pages are writable, the others are not: batches end at the border.
    Differ,
}

/// A folio of one process.
pub fn exclusive(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    exclusive_with(family, order, mapping, libc::MAP_PRIVATE)
}

/// A folio of one process, in memory mapped with `flags`.
pub fn exclusive_with(
    family: &Family,
    order: u32,
    mapping: Mapping,
    flags: i32,
) -> Result<Shape<'_>, Stop> {
    let subject = family.spawn()?;
    let folio = Folio::make(&subject, order, mapping, flags)?;
    Shape::new(subject, folio).proved()
}

/// A folio shared by `processes` processes, by fork.
pub fn forked(
    family: &Family,
    order: u32,
    mapping: Mapping,
    processes: usize,
) -> Result<Shape<'_>, Stop> {
    let mut shape = exclusive(family, order, mapping)?;
    for _ in 1..processes {
        shape.subjects.push(shape.subjects[0].fork()?);
    }
    shape.pages = vec![vec![Some(Page::shared()); shape.folio.pages]; processes];
    shape.proved()
}

/// A folio of which a fork shared some pages: those for which `exclusive` is false.
///
/// As the kernel's own selftest does it (THP_RUN_PARTIAL_SHARED in
/// tools/testing/selftests/mm/cow.c): MADV_DONTFORK on the rest, fork, MADV_DOFORK. `ready` may
/// then pin pages, which a read-only VMA would not allow.
pub fn mixed<'f>(
    family: &'f Family,
    order: u32,
    exclusive_page: &dyn Fn(usize) -> bool,
    write_bits: WriteBits,
    ready: &dyn Fn(&Subject<'_>, &Folio) -> Result<(), Stop>,
) -> Result<Shape<'f>, Stop> {
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let folio = shape.folio;
    let kept: Vec<_> = model::ranges(folio.pages, exclusive_page).collect();
    for run in &kept {
        let (at, len) = folio.span(run);
        shape.subjects[0].madvise(at, len, libc::MADV_DONTFORK)?;
    }
    shape.subjects.push(shape.subjects[0].fork()?);
    for run in &kept {
        let (at, len) = folio.span(run);
        shape.subjects[0].madvise(at, len, libc::MADV_DOFORK)?;
    }
    ready(&shape.subjects[0], &folio)?;
    if write_bits == WriteBits::Equal {
        shape.read_only(&(0..folio.pages))?;
    }
    let parent = |i| match exclusive_page(i) {
        true => Page {
            writable: write_bits == WriteBits::Differ,
            ..Page::exclusive()
        },
        false => Page::shared(),
    };
    let child = |i| (!exclusive_page(i)).then(Page::shared);
    shape.pages = vec![
        (0..folio.pages).map(|i| Some(parent(i))).collect(),
        (0..folio.pages).map(child).collect(),
    ];
    let one = smaps::read(shape.subjects[0].pid, &[(folio.address, folio.len())])?;
    match one.vmas {
        1 => shape.proved(),
        n => Err(Stop::Skip(format!("the VMA did not merge again: {n} VMAs"))),
    }
}

/// A folio with soft-dirty bits on the pages for which `dirty` is true.
///
/// To see which pages are written to, the kernel has write-protected all entries: those written to
/// since are the writable ones, unless the write bits are to be equal. `ready` may then pin pages that
/// were written to.
pub fn soft_dirty<'f>(
    family: &'f Family,
    order: u32,
    dirty: &dyn Fn(usize) -> bool,
    write_bits: WriteBits,
    ready: &dyn Fn(&Subject<'_>, &Folio) -> Result<(), Stop>,
) -> Result<Shape<'f>, Stop> {
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let folio = shape.folio;
    shape.clear_soft_dirty()?;
    for i in (0..folio.pages).filter(|i| dirty(*i)) {
        let at = folio.page(i);
        shape.subjects[0].poke(at, folio::first_byte(at))?;
    }
    let as_wanted = |shape: &Shape<'_>| -> Result<bool, Stop> {
        let seen = pagemap::read(shape.subjects[0].pid, folio.address, folio.pages)?;
        Ok((0..folio.pages).all(|i| seen[i].soft_dirty() == dirty(i)))
    };
    if !as_wanted(&shape)? {
        return Err(Stop::Skip("this kernel keeps no soft-dirty bits".into()));
    }
    ready(&shape.subjects[0], &folio)?;
    if write_bits == WriteBits::Equal {
        // Not in one call: of several dirty entries that it changes at once, mprotect() makes the
        // first one soft-dirty (get_and_clear_ptes() does, on x86).
        (0..folio.pages).try_for_each(|i| shape.read_only(&(i..i + 1)))?;
    }
    if !as_wanted(&shape)? {
        return Err(Stop::Skip("the soft-dirty bits do not stay".into()));
    }
    shape.pages[0] = (0..folio.pages)
        .map(|i| {
            Some(Page {
                writable: dirty(i) && write_bits == WriteBits::Differ,
                soft_dirty: dirty(i),
                ..Page::exclusive()
            })
        })
        .collect();
    shape.proved()
}
