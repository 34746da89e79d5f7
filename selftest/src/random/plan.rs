// SPDX-License-Identifier: GPL-2.0

//! A plan: a folio, what happens to it, and when it is unmapped. It is one line of text.
//!
//! `order 4 pte alone, fork 0 8-16, ro 0 2-5, unmap 0 3-4` is a folio of 16 pages, which a fork of
//! process 0 shares but for pages 8 to 15; pages 2 to 4 of process 0 become read-only; a request
//! names page 3 of process 0.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::shape::Mapping;

/// What lies around the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// It has its VMA for itself.
    Alone,
    /// The VMA has one more page on each side.
    Wide,
    /// Folios of the same order lie on both sides, in the page table and in memory.
    Near,
}

/// What is done to some pages of a process, or to all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A copy of the process, but for these pages (`MADV_DONTFORK`).
    Fork,
    /// The process ends; those behind it move up by one number.
    Exit,
    /// A pattern of its own is written.
    Write,
    /// Zeros are written.
    Zero,
    /// Every byte is read, and compared.
    Read,
    /// `mprotect(PROT_READ)`
    ReadOnly,
    /// `mprotect(PROT_READ | PROT_WRITE)`
    Writable,
    /// A VMA of their own that differs in nothing that an entry shows (`MADV_DONTDUMP`).
    Apart,
    /// `MADV_FREE`
    Free,
    /// `mlock2(MLOCK_ONFAULT)`
    Lock,
    /// `munlock(2)`
    Unlock,
    /// Registered as a buffer of an io_uring.
    Pin,
    /// All such buffers are given back.
    Unpin,
    /// The first of the pages goes into a pipe.
    Pipe,
    /// All such pipes are emptied.
    Drain,
    /// `MADV_DONTNEED`
    DontNeed,
    /// `munmap(2)`
    Munmap,
    /// Moved by `mremap(2)` to an odd place of another page table.
    Move,
    /// Moved so that half of them lie in one page table and half in the next.
    MoveAcross,
    /// Write-protected by userfaultfd.
    Protect,
    /// That taken back.
    Unprotect,
    /// The soft-dirty bits of the process are cleared.
    ClearSoftDirty,
    /// KSM may merge them, though it does not run (`MADV_MERGEABLE`).
    Mergeable,
    /// It may not (`MADV_UNMERGEABLE`).
    Unmergeable,
    /// KSM runs over them.
    Merge,
    /// A request that names the first page.
    Unmap,
    /// A request for all folios of these pages.
    UnmapRange,
    /// A request that names the first page, to free it as well.
    Reclaim,
    /// A request for all folios of these pages, to free them as well.
    ReclaimRange,
}

/// An act, its word, and whether pages follow the process.
const WORDS: [(Act, &str, bool); 29] = [
    (Act::Fork, "fork", true),
    (Act::Exit, "exit", false),
    (Act::Write, "write", true),
    (Act::Zero, "zero", true),
    (Act::Read, "read", true),
    (Act::ReadOnly, "ro", true),
    (Act::Writable, "rw", true),
    (Act::Apart, "apart", true),
    (Act::Free, "free", true),
    (Act::Lock, "lock", true),
    (Act::Unlock, "unlock", true),
    (Act::Pin, "pin", true),
    (Act::Unpin, "unpin", false),
    (Act::Pipe, "pipe", true),
    (Act::Drain, "drain", false),
    (Act::DontNeed, "dontneed", true),
    (Act::Munmap, "munmap", true),
    (Act::Move, "move", true),
    (Act::MoveAcross, "move-across", true),
    (Act::Protect, "wp", true),
    (Act::Unprotect, "unwp", true),
    (Act::ClearSoftDirty, "clear-soft-dirty", false),
    (Act::Mergeable, "mergeable", true),
    (Act::Unmergeable, "unmergeable", true),
    (Act::Merge, "merge", true),
    (Act::Unmap, "unmap", true),
    (Act::UnmapRange, "unmap-range", true),
    (Act::Reclaim, "reclaim", true),
    (Act::ReclaimRange, "reclaim-range", true),
];

impl Act {
    fn word(self) -> (&'static str, bool) {
        let found = WORDS.iter().find(|(act, ..)| *act == self);
        found.map_or(("?", false), |(_, word, pages)| (word, *pages))
    }

    /// Whether pages belong to it.
    pub fn of_pages(self) -> bool {
        self.word().1
    }

    /// Whether it is a request to the module.
    pub fn is_request(self) -> bool {
        use Act::{Reclaim, ReclaimRange, Unmap, UnmapRange};
        [Unmap, UnmapRange, Reclaim, ReclaimRange].contains(&self)
    }
}

/// One step of a plan. One that cannot be taken (there is no such process, the pages are not
/// mapped) is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What is done.
    pub act: Act,
    /// The process, by its place among those that live.
    pub process: usize,
    /// The pages of the folio.
    pub pages: Range<usize>,
}

/// A plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The folio has two to the power of this pages.
    pub order: u32,
    /// How it is mapped in the beginning.
    pub mapping: Mapping,
    /// What lies around it.
    pub layout: Layout,
    /// What happens.
    pub steps: Vec<Step>,
}

impl Plan {
    /// How many steps there are of a kind.
    pub fn count(&self, act: Act) -> usize {
        self.steps.iter().filter(|s| s.act == act).count()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, of_pages) = self.act.word();
        write!(f, "{word} {}", self.process)?;
        if of_pages && !self.pages.is_empty() {
            write!(f, " {}-{}", self.pages.start, self.pages.end)?;
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("order {} {:?} {:?}", self.order, self.mapping, self.layout);
        f.write_str(&text.to_lowercase())?;
        self.steps.iter().try_for_each(|s| write!(f, ", {s}"))
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let odd = || format!("no step of a plan: {text}");
        let mut words = text.split_whitespace();
        let word = words.next();
        let known = WORDS.iter().find(|(_, w, _)| Some(*w) == word);
        let (act, ..) = known.ok_or_else(odd)?;
        let process = words.next().and_then(|w| w.parse().ok()).ok_or_else(odd)?;
        let pages = match words.next() {
            None => 0..0,
            Some(pages) => {
                let ends = pages.split_once('-').ok_or_else(odd)?;
                let end = |w: &str| w.parse().map_err(|_| odd());
                end(ends.0)?..end(ends.1)?
            }
        };
        match words.next() {
            None => Ok(Step {
                act: *act,
                process,
                pages,
            }),
            Some(_) => Err(odd()),
        }
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let odd = || format!("no plan: {text}");
        let mut parts = text.split(',');
        let head = parts.next().unwrap_or_default();
        let head: Vec<&str> = head.split_whitespace().collect();
        let ["order", order, mapping, layout] = head[..] else {
            return Err(odd());
        };
        let plan = Plan {
            order: order.parse().map_err(|_| odd())?,
            mapping: match mapping {
                "pte" => Mapping::Pte,
                "pmd" => Mapping::Pmd,
                _ => return Err(odd()),
            },
            layout: match layout {
                "alone" => Layout::Alone,
                "wide" => Layout::Wide,
                "near" => Layout::Near,
                _ => return Err(odd()),
            },
            steps: parts.map(str::parse).collect::<Result<_, _>>()?,
        };
        let pages = 1usize.checked_shl(plan.order).ok_or_else(odd)?;
        match plan.steps.iter().all(|s| s.pages.end <= pages) {
            true => Ok(plan),
            false => Err(format!("pages that the folio does not have: {text}")),
        }
    }
}
