// SPDX-License-Identifier: GPL-2.0

//! What a plan has made so far: the processes, and what each must find in its pages.

use std::ops::Range;

use super::plan::{Layout, Plan};
use crate::observe::pagemap::{self, Entry};
use crate::observe::{kpage, mthp, Snapshot};
use crate::scenario::facts;
use crate::shape::{self, bytes, folio, model, partial, Shape, Span};
use crate::subject::{Family, Subject};
use crate::uffd::Uffd;
use crate::verdict::{Checks, Stop};

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// The seed of its pattern.
    pub seed: u64,
    /// The address at which that was written.
    pub origin: u64,
    /// The kernel may have dropped it: then there are zeros.
    pub droppable: bool,
}

/// A page that a process may access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Here {
    /// What it holds.
    pub content: Content,
    /// Its VMA is read-only.
    pub read_only: bool,
    /// Its VMA is mlocked.
    pub locked: bool,
    /// It is write-protected by userfaultfd.
    pub protected: bool,
}

impl Here {
    /// Whether a write to it succeeds at once.
    pub fn writable(&self) -> bool {
        !self.read_only && !self.protected
    }
}

/// The state of things.
pub struct Scene<'f> {
    /// The folio and its processes. Of its pages, only whether they may be accessed is of use.
    pub shape: Shape<'f>,
    /// What each process finds in each page.
    pub here: Vec<Vec<Option<Here>>>,
    /// The userfaultfd of each process.
    pub uffds: Vec<Option<Uffd>>,
    /// Pages of other folios, where the folio's were: copies, or read from swap.
    strangers: Vec<Vec<bool>>,
    /// The folio is one folio, and its frames are still its own.
    whole: bool,
    /// Memory around the folio that nobody may change: addresses and lengths.
    around: Vec<(u64, u64)>,
}

impl<'f> Scene<'f> {
    /// Makes the folio of a plan.
    pub fn make(family: &'f Family, plan: &Plan) -> Result<Self, Stop> {
        let (order, mapping) = (plan.order, plan.mapping);
        let shape = match plan.layout {
            Layout::Near if order + 2 > mthp::pmd_order() => {
                return Err(Stop::Skip("no room for neighbours of this order".into()))
            }
            Layout::Near => partial::between_neighbours(family, order, 0)?,
            Layout::Alone | Layout::Wide => shape::exclusive(family, order, mapping)?,
        };
        let at = shape.folio;
        let margin = match plan.layout {
            Layout::Alone => 0,
            Layout::Wide => bytes(1),
            Layout::Near => at.len(),
        };
        let mut around = vec![(at.address - margin, margin), (at.end(), margin)];
        around.retain(|(_, len)| *len > 0);
        if plan.layout == Layout::Wide {
            widen(&shape.subjects[0], &around, order)?;
        }
        let here = |i| Here {
            content: Content {
                seed: folio::SEED,
                origin: at.page(i),
                droppable: false,
            },
            read_only: false,
            locked: false,
            protected: false,
        };
        Ok(Scene {
            here: vec![(0..at.pages).map(|i| Some(here(i))).collect()],
            uffds: vec![None],
            strangers: vec![vec![false; at.pages]],
            whole: true,
            around,
            shape,
        })
    }

    /// Adds a process that has just been forked from process `k`, but for some pages.
    pub fn forked(&mut self, k: usize, child: Subject<'f>, except: &Range<usize>) {
        self.shape.subjects.push(child);
        let inherit = |(i, here): (usize, &Option<Here>)| {
            let here = here.filter(|_| !except.contains(&i))?;
            Some(Here {
                locked: false,
                protected: false,
                ..here
            })
        };
        let here: Vec<_> = self.here[k].iter().enumerate().map(inherit).collect();
        self.here.push(here);
        self.shape.pages.push(self.shape.pages[k].clone());
        self.strangers.push(self.strangers[k].clone());
        self.uffds.push(None);
        self.say_what_is_mapped();
    }

    /// Takes a process out that is to end.
    pub fn leaving(&mut self, k: usize) -> Subject<'f> {
        self.here.remove(k);
        self.shape.pages.remove(k);
        self.strangers.remove(k);
        self.uffds.remove(k);
        self.shape.subjects.remove(k)
    }

    /// Changes what process `k` finds in some pages that it may access.
    pub fn change(&mut self, k: usize, pages: &Range<usize>, how: &dyn Fn(usize, &mut Here)) {
        for i in pages.clone() {
            if let Some(here) = &mut self.here[k][i] {
                how(i, here);
            }
        }
    }

    /// Says that process `k` may not access some pages any more.
    pub fn lose(&mut self, k: usize, pages: &Range<usize>) {
        self.here[k][pages.clone()].fill(None);
        self.say_what_is_mapped();
    }

    fn say_what_is_mapped(&mut self) {
        for (pages, here) in self.shape.pages.iter_mut().zip(&self.here) {
            for (page, here) in pages.iter_mut().zip(here) {
                *page = page.filter(|_| here.is_some());
            }
        }
    }

    /// The runs of those of `pages` that process `k` may access and that are as wanted.
    pub fn runs(
        &self,
        k: usize,
        pages: &Range<usize>,
        fits: &dyn Fn(&Here) -> bool,
    ) -> Vec<Range<usize>> {
        let is = |i: usize| pages.contains(&i) && self.here[k][i].as_ref().is_some_and(fits);
        model::ranges(self.shape.folio.pages, &is).collect()
    }

    /// Where they are.
    pub fn spans(&self, k: usize, pages: &Range<usize>, fits: &dyn Fn(&Here) -> bool) -> Vec<Span> {
        let runs = self.runs(k, pages, fits);
        runs.iter().flat_map(|r| self.shape.spans_of(r)).collect()
    }

    /// Compares every byte of some pages of process `k`. Of each page that the kernel may drop,
    /// the answer says whether it has.
    pub fn read(
        &self,
        checks: &mut Checks,
        k: usize,
        pages: &Range<usize>,
    ) -> Result<String, Stop> {
        let subject = &self.shape.subjects[k];
        let mut dropped = String::new();
        let mut parts: Vec<(Span, u64)> = Vec::new();
        for i in pages.clone() {
            let Some(Content {
                seed,
                origin,
                droppable,
            }) = self.here[k][i].map(|h| h.content)
            else {
                continue;
            };
            let at = self.shape.address(i);
            if droppable {
                let kept = subject.compare_moved(at, bytes(1), seed, origin)?.is_none();
                dropped.push(if kept { '=' } else { '0' });
                if kept {
                    continue;
                }
            }
            let seed = if droppable { 0 } else { seed };
            match parts.last_mut() {
                Some((last, s))
                    if *s == seed
                        && last.at + last.len == at
                        && last.origin + last.len == origin =>
                {
                    last.len += bytes(1);
                }
                _ => parts.push((
                    Span {
                        at,
                        len: bytes(1),
                        origin,
                    },
                    seed,
                )),
            }
        }
        for (span, seed) in parts {
            let differs = subject.compare_moved(span.at, span.len, seed, span.origin)?;
            checks.that(differs.is_none(), || {
                let (at, len) = (differs.unwrap_or(0), span.len);
                let from = span.at;
                format!("content of process {k} differs at {at:#x}, in {len:#x} bytes from {from:#x} on")
            });
        }
        Ok(dropped)
    }

    /// Compares what lies around the folio in all processes.
    pub fn read_around(&self, checks: &mut Checks) -> Result<(), Stop> {
        for (k, subject) in self.shape.subjects.iter().enumerate() {
            for (at, len) in &self.around {
                let differs = subject.compare(*at, *len, folio::SEED)?;
                checks.eq(&format!("what is around it in process {k}"), differs, None);
            }
        }
        Ok(())
    }

    /// Looks which pages are the folio's own; after each step, for frames are used again.
    pub fn track(&mut self) -> Result<(), Stop> {
        let folio = self.shape.folio;
        let mut homes = 0;
        for (k, subject) in self.shape.subjects.iter().enumerate() {
            let mut entries = Vec::new();
            for span in self.shape.spans_of(&(0..folio.pages)) {
                let pages = (span.len / bytes(1)) as usize;
                entries.extend(pagemap::read(subject.pid, span.at, pages)?);
            }
            for (i, entry) in entries.iter().enumerate() {
                let home = entry.pfn() == Some(folio.pfn + i as u64);
                self.strangers[k][i] |= entry.present() && !home;
                homes += usize::from(home && !self.strangers[k][i]);
            }
        }
        let first = kpage::flags(folio.pfn, 1)?[0];
        let one = first.has("anon") && first.has("head") == (folio.order > 0);
        self.whole &= one && (homes > 0 || first.has("swapcache"));
        Ok(())
    }

    /// Whether what pagemap shows of page `i` of process `k` is of the folio.
    pub fn is_own(&self, k: usize, i: usize) -> bool {
        self.whole && !self.strangers[k][i]
    }

    /// Whether the folio still is one.
    pub fn is_whole(&self) -> bool {
        self.whole
    }

    /// One character a page, as in [`facts::row`]. Of others than the folio's own, in which frame
    /// or slot they are is chance: `C` mapped once, `c` more often, `~` swapped.
    pub fn row(&self, k: usize, now: &Snapshot) -> String {
        let own = |(k, i): (usize, usize)| self.is_own(k, i);
        let slot = now.processes.iter().enumerate().find_map(|(k, process)| {
            let mut pages = process.pages.iter().enumerate();
            pages.find_map(|(i, e)| {
                e.swap_offset()?
                    .checked_sub(i as u64)
                    .filter(|_| own((k, i)))
            })
        });
        let letter = |(i, e): (usize, &Entry)| match (e.present(), e.swapped()) {
            _ if own((k, i)) => facts::letter(i, *e, &self.shape.folio, slot),
            (true, _) if e.mapped_once() => 'C',
            (true, _) => 'c',
            (false, true) => '~',
            (false, false) => '_',
        };
        facts::letters_of(now.processes[k].pages.iter().enumerate().map(letter))
    }
}

/// Makes the VMA larger, and fills what is new of it.
fn widen(subject: &Subject<'_>, around: &[(u64, u64)], order: u32) -> Result<(), Stop> {
    let advice = match order {
        0 => libc::MADV_NOHUGEPAGE,
        _ => libc::MADV_HUGEPAGE,
    };
    for (at, len) in around {
        subject.protect(*at, *len, libc::PROT_READ | libc::PROT_WRITE)?;
        subject.madvise(*at, *len, advice)?;
        subject.fill(*at, *len, folio::SEED)?;
    }
    folio::drain_lists()
}
