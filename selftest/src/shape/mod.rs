// SPDX-License-Identifier: GPL-2.0

//! Folios of a known order, mapped in a known way by known processes.
//!
//! Every shape is proved from outside before a test may use it. What cannot be made here is a
//! skip with its reason.

pub mod folio;
pub mod model;
pub mod swapcached;
pub mod whole;

use crate::observe::pagemap;
use crate::observe::{kpage, smaps, Snapshot};
use crate::subject::{Family, Subject};
use crate::sys::page_size;
use crate::verdict::Stop;
pub use folio::{Folio, Mapping};
pub use model::{Expected, Page, Pages};
pub use swapcached::swapcached;

/// Write bits of a folio of which a part is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteBits {
    /// The VMA is read-only, so that no entry is writable: one batch has many runs.
    Equal,
    /// Entries of exclusive pages are writable, the others are not: batches end at the border.
    Differ,
}

/// A folio and all processes that map it.
pub struct Shape<'f> {
    /// The processes; the first made the folio.
    pub subjects: Vec<Subject<'f>>,
    /// The folio.
    pub folio: Folio,
    /// What each process maps of it.
    pub pages: Vec<Pages>,
    /// The first process has made its VMA read-only.
    pub read_only: bool,
}

/// A folio of one process.
pub fn exclusive(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    let subject = family.spawn()?;
    let folio = Folio::make(&subject, order, mapping)?;
    let pages = vec![vec![Some(Page::exclusive()); folio.pages]];
    Shape {
        subjects: vec![subject],
        folio,
        pages,
        read_only: false,
    }
    .proved()
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
        shape.subjects[0].protect(folio.address, folio.len(), libc::PROT_READ)?;
        shape.read_only = true;
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
    let one = smaps::read(shape.subjects[0].pid, folio.address, folio.end())?;
    match one.vmas {
        1 => shape.proved(),
        n => Err(Stop::Skip(format!("the VMA did not merge again: {n} VMAs"))),
    }
}

/// A folio with soft-dirty bits on the pages for which `dirty` is true.
pub fn soft_dirty<'f>(
    family: &'f Family,
    order: u32,
    dirty: &dyn Fn(usize) -> bool,
) -> Result<Shape<'f>, Stop> {
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let folio = shape.folio;
    shape.clear_soft_dirty()?;
    for i in (0..folio.pages).filter(|i| dirty(*i)) {
        let at = folio.page(i);
        shape.subjects[0].poke(at, folio::first_byte(at))?;
    }
    let seen = pagemap::read(shape.subjects[0].pid, folio.address, folio.pages)?;
    if (0..folio.pages).any(|i| seen[i].soft_dirty() != dirty(i)) {
        return Err(Stop::Skip("this kernel keeps no soft-dirty bits".into()));
    }
    shape.pages[0] = (0..folio.pages)
        .map(|i| {
            Some(Page {
                writable: dirty(i),
                soft_dirty: dirty(i),
                ..Page::exclusive()
            })
        })
        .collect();
    shape.proved()
}

impl Shape<'_> {
    /// The process ids.
    pub fn pids(&self) -> Vec<i32> {
        self.subjects.iter().map(|s| s.pid).collect()
    }

    /// Looks at everything this shape is about.
    pub fn look(&self) -> Result<Snapshot, Stop> {
        let folio = &self.folio;
        Ok(Snapshot::take(
            &self.pids(),
            folio.address,
            folio.len(),
            Some((folio.pfn, folio.pages)),
        )?)
    }

    /// The parts of the folio that process `k` maps: address and length.
    pub fn spans(&self, k: usize) -> Vec<(u64, u64)> {
        let mapped = |i: usize| self.pages[k][i].is_some();
        model::ranges(self.folio.pages, &mapped)
            .map(|run| self.folio.span(&run))
            .collect()
    }

    /// What unmapping all of it must count.
    pub fn expected(&self) -> Expected {
        model::expected(&self.pages)
    }

    /// Lets the first process write again.
    pub fn allow_writes(&mut self) -> Result<(), Stop> {
        if std::mem::take(&mut self.read_only) {
            let prot = libc::PROT_READ | libc::PROT_WRITE;
            self.subjects[0].protect(self.folio.address, self.folio.len(), prot)?;
        }
        Ok(())
    }

    /// Clears the soft-dirty bits of the first process, where the kernel has them.
    pub fn clear_soft_dirty(&self) -> Result<(), Stop> {
        let subject = &self.subjects[0];
        crate::knobs::write(format!("/proc/{}/clear_refs", subject.pid), "4")?;
        // That has write-protected all of the process, not only the folio.
        subject.settle()
    }

    /// Compares the shape with what the kernel shows of it.
    fn proved(self) -> Result<Self, Stop> {
        let folio = &self.folio;
        folio.prove()?;
        let counts = kpage::counts(folio.pfn, folio.pages)?;
        for (k, subject) in self.subjects.iter().enumerate() {
            let seen = pagemap::read(subject.pid, folio.address, folio.pages)?;
            for (i, page) in self.pages[k].iter().enumerate() {
                let mappers = self.pages.iter().filter(|p| p[i].is_some()).count();
                let ok = match page {
                    None => !seen[i].present() && !seen[i].swapped(),
                    Some(page) => {
                        seen[i].pfn() == Some(folio.pfn + i as u64)
                            && !seen[i].file()
                            && seen[i].mapped_once() == (mappers == 1)
                            && page.exclusive == (mappers == 1)
                            && counts[i] == mappers as u64
                    }
                };
                if !ok {
                    return Err(Stop::Skip(format!(
                        "page {i} of process {k} is not as wanted: {:#x}, mapped {} times",
                        seen[i].0, counts[i]
                    )));
                }
            }
        }
        Ok(self)
    }
}

/// The bytes of `pages` pages.
pub fn bytes(pages: usize) -> u64 {
    (pages * page_size()) as u64
}
