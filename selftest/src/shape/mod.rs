// SPDX-License-Identifier: GPL-2.0

//! Folios of a known order, mapped in a known way by known processes.
//!
//! Every shape is proved from outside before a test may use it. What cannot be made here is a
//! skip with its reason.

pub mod device;
pub mod folio;
mod ksm;
pub mod make;
pub mod model;
pub mod partial;
pub mod stopped;
pub mod swapcached;
pub mod whole;

use std::ops::Range;

use crate::observe::pagemap;
use crate::observe::{kpage, mthp, Snapshot};
use crate::subject::Subject;
use crate::sys::page_size;
use crate::verdict::Stop;
pub use folio::{reserve, Folio, Mapping, SEED};
pub use ksm::ksm_page;
pub use make::{exclusive, forked, mixed, soft_dirty, WriteBits};
pub use model::{Expected, Page, Pages};
pub use swapcached::swapcached;

/// What lets the first process write where it could not so far.
pub type Permit<'f> = Box<dyn FnOnce(&Subject<'_>) -> Result<(), Stop> + 'f>;

/// A folio and all processes that map it.
pub struct Shape<'f> {
    /// The processes; the first made the folio.
    pub subjects: Vec<Subject<'f>>,
    /// The folio.
    pub folio: Folio,
    /// What each process maps of it.
    pub pages: Vec<Pages>,
    /// Where pages are mapped that are not where the folio was made, the same in all processes.
    pub moved: Vec<(Range<usize>, u64)>,
    /// What has to be done before the first process may write to all that it maps.
    pub permits: Vec<Permit<'f>>,
}

/// Memory of a process.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Its address.
    pub at: u64,
    /// Its length.
    pub len: u64,
    /// The address at which its content was written.
    pub origin: u64,
}

impl<'f> Shape<'f> {
    /// Ends all processes.
    pub fn exit(self) -> Result<(), Stop> {
        self.subjects.into_iter().try_for_each(Subject::exit)
    }

    /// A folio of the one process that has made it.
    fn new(subject: Subject<'f>, folio: Folio) -> Self {
        Shape {
            subjects: vec![subject],
            folio,
            pages: vec![vec![Some(Page::exclusive()); folio.pages]],
            moved: Vec::new(),
            permits: Vec::new(),
        }
    }

    /// Makes `pages` of the first process read-only until [`Shape::allow_writes`].
    pub fn read_only(&mut self, pages: &Range<usize>) -> Result<(), Stop> {
        for span in self.spans_of(pages) {
            self.subjects[0].protect(span.at, span.len, libc::PROT_READ)?;
            self.permits.push(Box::new(move |subject| {
                subject.protect(span.at, span.len, libc::PROT_READ | libc::PROT_WRITE)
            }));
        }
        Ok(())
    }

    /// Lets the first process write again.
    pub fn allow_writes(&mut self) -> Result<(), Stop> {
        let subject = &self.subjects[0];
        self.permits
            .drain(..)
            .try_for_each(|permit| permit(subject))
    }
}

impl Shape<'_> {
    /// The process ids.
    pub fn pids(&self) -> Vec<i32> {
        self.subjects.iter().map(|s| s.pid).collect()
    }

    /// Looks at everything this shape is about.
    pub fn look(&self) -> Result<Snapshot, Stop> {
        let spans = self.spans_of(&(0..self.folio.pages)).into_iter();
        let ranges: Vec<_> = spans.map(|s| (s.at, s.len)).collect();
        let frames = (self.folio.pfn, self.folio.pages);
        let mut seen = Snapshot::take(&self.pids(), &ranges, Some(frames))?;
        if let Some(group) = self.subjects.first().and_then(|s| s.cgroup()) {
            seen.system.events.extend(group.events()?);
        }
        Ok(seen)
    }

    /// Where page `i` is mapped, or was.
    pub fn address(&self, i: usize) -> u64 {
        let there = self.moved.iter().find(|(pages, _)| pages.contains(&i));
        there.map_or(self.folio.page(i), |(pages, at)| {
            at + bytes(i - pages.start)
        })
    }

    /// Where the first process maps a byte of the folio, or else the first page behind it that it
    /// maps.
    pub fn address_of_byte(&self, offset: u64) -> u64 {
        let page = (offset / bytes(1)) as usize;
        let mapped = (page..self.folio.pages).find(|i| self.pages[0][*i].is_some());
        match mapped {
            Some(i) if i > page => self.address(i),
            _ => self.address(page) + offset % bytes(1),
        }
    }

    /// Where some of the folio's pages are, in the order of the pages.
    pub fn spans_of(&self, pages: &Range<usize>) -> Vec<Span> {
        let mut spans: Vec<Span> = Vec::new();
        for i in pages.clone() {
            match (spans.last_mut(), self.address(i)) {
                (Some(last), at) if last.at + last.len == at => last.len += bytes(1),
                (_, at) => spans.push(Span {
                    at,
                    len: bytes(1),
                    origin: self.folio.page(i),
                }),
            }
        }
        spans
    }

    /// Where process `k` maps pages of the folio.
    pub fn spans(&self, k: usize) -> Vec<Span> {
        let mapped = |i: usize| self.pages[k][i].is_some();
        let runs = model::ranges(self.folio.pages, &mapped);
        runs.flat_map(|run| self.spans_of(&run)).collect()
    }

    /// What unmapping all of it must count.
    pub fn expected(&self) -> Expected {
        model::expected(&self.pages)
    }

    /// How many entries of the first process are in its first batch.
    pub fn first_batch(&self) -> usize {
        model::batches(&self.pages[0]).next().map_or(0, |b| b.len())
    }

    /// Pages that some process maps.
    pub fn mapped_pages(&self) -> usize {
        let mapped = |i: &usize| self.pages.iter().any(|p| p[*i].is_some());
        (0..self.folio.pages).filter(mapped).count()
    }

    /// Clears the soft-dirty bits of the first process, where the kernel has them.
    pub fn clear_soft_dirty(&self) -> Result<(), Stop> {
        let subject = &self.subjects[0];
        crate::knobs::write(format!("/proc/{}/clear_refs", subject.pid), "4")?;
        // That has write-protected all of the process, not only the folio.
        subject.settle()
    }

    /// Compares the shape with what the kernel shows of it.
    ///
    /// That a page is not exclusive shows in nothing but what a write does, later.
    pub fn proved(self) -> Result<Self, Stop> {
        let folio = &self.folio;
        folio.prove()?;
        let counts = kpage::counts(folio.pfn, folio.pages)?;
        for (k, subject) in self.subjects.iter().enumerate() {
            let mut seen = Vec::new();
            for span in self.spans_of(&(0..folio.pages)) {
                let pages = span.len as usize / page_size();
                seen.extend(pagemap::read(subject.pid, span.at, pages)?);
            }
            for (i, page) in self.pages[k].iter().enumerate() {
                let mappers = self.pages.iter().filter(|p| p[i].is_some()).count();
                let ok = match page {
                    None => !seen[i].present() && !seen[i].swapped(),
                    Some(page) => {
                        seen[i].pfn() == Some(folio.pfn + i as u64)
                            && !seen[i].file()
                            && seen[i].mapped_once() == (mappers == 1)
                            && (mappers == 1 || !page.exclusive)
                            && seen[i].uffd_wp() == page.uffd_wp
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

/// Orders of folios, and by what they are mapped, for tests that not every order would add to.
pub fn few_sizes() -> [(u32, Mapping); 4] {
    let pmd = mthp::pmd_order();
    [
        (0, Mapping::Pte),
        (4, Mapping::Pte),
        (pmd, Mapping::Pte),
        (pmd, Mapping::Pmd),
    ]
}

/// The bytes of `pages` pages.
pub fn bytes(pages: usize) -> u64 {
    (pages * page_size()) as u64
}
