// SPDX-License-Identifier: GPL-2.0

//! Who maps the folios, and what of them: one at a time, or a lot of memory full of them.

use crate::shape::{self, bytes, partial::Hole, Mapping, Shape, WriteBits};
use crate::subject::{Family, Subject};
use crate::sys::page_size;
use crate::verdict::Stop;

/// How folios are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// By one process, wholly.
    Exclusive,
    /// By two processes, by fork.
    Shared2,
    /// By eight.
    Shared8,
    /// By one process, of which a fork took every second page, and went.
    Alternating,
    /// By one process, which has let the second half go.
    Half,
}

impl Case {
    /// All.
    pub const ALL: [Self; 5] = [
        Self::Exclusive,
        Self::Shared2,
        Self::Shared8,
        Self::Alternating,
        Self::Half,
    ];

    /// Its name on the command line and in the results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exclusive => "exclusive",
            Self::Shared2 => "shared2",
            Self::Shared8 => "shared8",
            Self::Alternating => "alternating",
            Self::Half => "half",
        }
    }

    /// The case of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.name() == name)
    }

    /// How many processes map the folio.
    pub fn processes(self) -> usize {
        match self {
            Self::Shared2 => 2,
            Self::Shared8 => 8,
            _ => 1,
        }
    }

    /// Whether pages of one folio are mapped differently: by one PMD entry they cannot be, and a
    /// single page has no other to differ from.
    pub fn by_page(self) -> bool {
        matches!(self, Self::Alternating | Self::Half)
    }

    /// Makes one such folio.
    pub fn make(self, family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
        match self {
            Self::Exclusive => shape::exclusive(family, order, mapping),
            Self::Shared2 | Self::Shared8 => {
                shape::forked(family, order, mapping, self.processes())
            }
            Self::Alternating => {
                let ready = |_: &Subject<'_>, _: &_| Ok(());
                let mut shape =
                    shape::mixed(family, order, &is_exclusive, WriteBits::Equal, &ready)?;
                // What it shared stays so when it is gone; it would add a VMA for each page.
                shape.pages.pop();
                if let Some(child) = shape.subjects.pop() {
                    child.exit()?;
                }
                shape.proved()
            }
            Self::Half => {
                let mut shape = shape::exclusive(family, order, mapping)?;
                let pages = shape.folio.pages;
                shape.let_go(Hole::DontNeed, &(pages / 2..pages))?;
                shape.proved()
            }
        }
    }

    /// Does the same to all folios of `size` bytes of which the memory at `at` is full. Returns
    /// the other processes that map them.
    pub fn make_many<'f>(
        self,
        subject: &Subject<'f>,
        at: u64,
        len: u64,
        size: u64,
    ) -> Result<Vec<Subject<'f>>, Stop> {
        let mut others = Vec::new();
        match self {
            Self::Exclusive | Self::Shared2 | Self::Shared8 => {
                for _ in 1..self.processes() {
                    others.push(subject.fork()?);
                }
            }
            Self::Alternating => {
                for i in (0..len as usize / page_size()).filter(|i| is_exclusive(*i)) {
                    subject.madvise(at + bytes(i), bytes(1), libc::MADV_DONTFORK)?;
                }
                subject.fork()?.exit()?;
                subject.madvise(at, len, libc::MADV_DOFORK)?;
                subject.protect(at, len, libc::PROT_READ)?;
            }
            Self::Half => {
                for folio in (at..at + len).step_by(size as usize) {
                    subject.madvise(folio + size / 2, size / 2, libc::MADV_DONTNEED)?;
                }
            }
        }
        Ok(others)
    }

    /// The runs of equal exclusivity that a folio of `pages` pages has.
    pub fn runs(self, pages: u64) -> u64 {
        match self {
            Self::Alternating => pages,
            _ => self.processes() as u64,
        }
    }
}

/// Which pages of a folio that alternates stay exclusive.
fn is_exclusive(page: usize) -> bool {
    page % 2 == 0
}
