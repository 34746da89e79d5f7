// SPDX-License-Identifier: GPL-2.0

//! Takes the steps of a plan that are no requests.

use std::fs::File;
use std::io::Read;
use std::ops::Range;

use super::ksm;
use super::plan::{Act, Plan, Step};
use super::scene::{Content, Here, Scene};
use crate::iouring::Ring;
use crate::knobs;
use crate::observe::smaps;
use crate::shape::{folio, partial, Span};
use crate::sys;
use crate::uffd::Uffd;
use crate::verdict::{Checks, Stop};

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
/// How much goes into a pipe.
const PIPED: usize = 64;

/// What steps need that the processes must inherit: rings and pipes, one for each use.
pub struct Tools {
    rings: Vec<Ring>,
    pinned: usize,
    pipes: Vec<(File, File)>,
    piped: usize,
}

impl Tools {
    /// Makes what a plan needs.
    pub fn new(plan: &Plan) -> Result<Self, Stop> {
        let rings = (0..plan.count(Act::Pin)).map(|_| Ring::new());
        let pipes = (0..plan.count(Act::Pipe)).map(|_| sys::pipe());
        Ok(Tools {
            rings: rings.collect::<Result<_, _>>()?,
            pinned: 0,
            pipes: pipes.collect::<Result<_, _>>()?,
            piped: 0,
        })
    }

    /// Gives back all buffers.
    pub fn unpin(&mut self) -> Result<(), Stop> {
        for ring in self.rings.drain(..self.pinned) {
            ring.unpin()?;
        }
        self.pinned = 0;
        Ok(())
    }

    /// Empties all pipes.
    pub fn drain(&mut self) -> Result<(), Stop> {
        for (mut from, _) in self.pipes.drain(..self.piped) {
            from.read_exact(&mut [0; PIPED])?;
        }
        self.piped = 0;
        Ok(())
    }
}

impl Scene<'_> {
    /// Takes the step with this number. The answer is what both paths must agree on.
    pub fn take(
        &mut self,
        checks: &mut Checks,
        (number, step): (usize, &Step),
        tools: &mut Tools,
    ) -> Result<String, Stop> {
        let Step {
            act,
            process: k,
            ref pages,
        } = *step;
        if k >= self.shape.subjects.len() {
            return Ok(String::new());
        }
        let start = self.shape.subjects[k].faults()?;
        let mut said = String::new();
        match act {
            Act::Fork => self.fork(k, pages)?,
            Act::Exit if self.shape.subjects.len() > 1 => {
                self.leaving(k).exit()?;
                return Ok(said);
            }
            Act::Write => self.write(k, pages, number as u64 + 1 + folio::SEED)?,
            Act::Zero => self.write(k, pages, 0)?,
            Act::Read => said = self.read(checks, k, pages)?,
            Act::ReadOnly | Act::Writable => self.protect(k, pages, act == Act::ReadOnly)?,
            Act::Apart => self.advise(k, pages, partial::SPLIT_ADVICE)?,
            Act::Free => self.free(k, pages)?,
            Act::Lock => self.lock(k, pages, true)?,
            Act::Unlock => self.lock(k, pages, false)?,
            Act::Pin => self.pin(k, pages, tools)?,
            Act::Unpin => tools.unpin()?,
            Act::Pipe => self.pipe(k, pages, tools)?,
            Act::Drain => tools.drain()?,
            Act::DontNeed => self.dont_need(k, pages)?,
            Act::Munmap => self.munmap(k, pages)?,
            Act::Move => self.move_pages(pages, 3)?,
            Act::MoveAcross => self.move_pages(pages, -(pages.len().div_ceil(2) as isize))?,
            Act::Protect => self.uffd(k, pages, true)?,
            Act::Unprotect => self.uffd(k, pages, false)?,
            Act::ClearSoftDirty => {
                let subject = &self.shape.subjects[k];
                knobs::write(format!("/proc/{}/clear_refs", subject.pid), "4")?;
                // That has write-protected all of the process.
                subject.settle()?;
            }
            Act::Mergeable => self.advise(k, pages, libc::MADV_MERGEABLE)?,
            Act::Unmergeable => self.advise(k, pages, libc::MADV_UNMERGEABLE)?,
            Act::Merge => {
                self.advise(k, pages, libc::MADV_MERGEABLE)?;
                ksm::run()?;
            }
            _ => {}
        }
        if ![Act::Write, Act::Zero, Act::Read].contains(&act) {
            // Faults may be of what the process needs for itself.
            return Ok(said);
        }
        let end = self.shape.subjects[k].faults()?;
        let (minor, major) = (end.minor - start.minor, end.major - start.major);
        Ok(format!("{said} {minor} minor faults, {major} major"))
    }

    fn advise(&self, k: usize, pages: &Range<usize>, advice: i32) -> Result<(), Stop> {
        for span in self.spans(k, pages, &|_| true) {
            self.shape.subjects[k].madvise(span.at, span.len, advice)?;
        }
        Ok(())
    }

    fn fork(&mut self, k: usize, except: &Range<usize>) -> Result<(), Stop> {
        self.advise(k, except, libc::MADV_DONTFORK)?;
        let child = self.shape.subjects[k].fork()?;
        self.advise(k, except, libc::MADV_DOFORK)?;
        self.forked(k, child, except);
        Ok(())
    }

    /// Writes where a write succeeds at once.
    fn write(&mut self, k: usize, pages: &Range<usize>, seed: u64) -> Result<(), Stop> {
        for run in self.runs(k, pages, &Here::writable) {
            for span in self.shape.spans_of(&run) {
                self.shape.subjects[k].fill(span.at, span.len, seed)?;
            }
            let at: Vec<u64> = run.clone().map(|i| self.shape.address(i)).collect();
            self.change(k, &run, &|i, here| {
                here.content = Content {
                    seed,
                    origin: at[i - run.start],
                    droppable: false,
                }
            });
        }
        Ok(())
    }

    fn protect(&mut self, k: usize, pages: &Range<usize>, read_only: bool) -> Result<(), Stop> {
        let prot = if read_only { libc::PROT_READ } else { RW };
        for span in self.spans(k, pages, &|_| true) {
            self.shape.subjects[k].protect(span.at, span.len, prot)?;
        }
        self.change(k, pages, &|_, here| here.read_only = read_only);
        Ok(())
    }

    fn free(&mut self, k: usize, pages: &Range<usize>) -> Result<(), Stop> {
        for run in self.runs(k, pages, &|h| !h.locked) {
            self.advise(k, &run, libc::MADV_FREE)?;
            self.change(k, &run, &|_, here| here.content.droppable = true);
        }
        Ok(())
    }

    fn lock(&mut self, k: usize, pages: &Range<usize>, lock: bool) -> Result<(), Stop> {
        let subject = &self.shape.subjects[k];
        for span in self.spans(k, pages, &|_| true) {
            match lock {
                true => subject.mlock(span.at, span.len)?,
                false => subject.munlock(span.at, span.len)?,
            }
        }
        self.change(k, pages, &|_, here| here.locked = lock);
        Ok(())
    }

    /// Pins pages of which all can be written: a pin takes a write fault.
    fn pin(&mut self, k: usize, pages: &Range<usize>, tools: &mut Tools) -> Result<(), Stop> {
        let spans = self.spans(k, pages, &Here::writable);
        let [Span { at, len, .. }] = spans[..] else {
            return Ok(());
        };
        tools.rings[tools.pinned].pin(&self.shape.subjects[k], at, len)?;
        tools.pinned += 1;
        // What is pinned cannot be dropped, but what was dropped before stays so.
        Ok(())
    }

    fn pipe(&self, k: usize, pages: &Range<usize>, tools: &mut Tools) -> Result<(), Stop> {
        let first = pages.start..pages.start + 1;
        if let [span] = self.spans(k, &first, &|_| true)[..] {
            let (_, to) = &tools.pipes[tools.piped];
            self.shape.subjects[k].splice(span.at, PIPED as u64, to)?;
            tools.piped += 1;
        }
        Ok(())
    }

    fn dont_need(&mut self, k: usize, pages: &Range<usize>) -> Result<(), Stop> {
        for run in self.runs(k, pages, &|h| !h.locked) {
            self.advise(k, &run, libc::MADV_DONTNEED)?;
            self.change(k, &run, &|_, here| {
                here.protected = false;
                here.content.seed = 0;
                here.content.droppable = false;
            });
        }
        Ok(())
    }

    fn munmap(&mut self, k: usize, pages: &Range<usize>) -> Result<(), Stop> {
        for span in self.spans(k, pages, &|_| true) {
            self.shape.subjects[k].unmap(span.at, span.len)?;
        }
        self.lose(k, pages);
        Ok(())
    }

    /// Moves pages of the only process, once, and only if they are in one VMA: `room()` says what
    /// `to` means.
    fn move_pages(&mut self, pages: &Range<usize>, to: isize) -> Result<(), Stop> {
        let [subject] = &self.shape.subjects[..] else {
            return Ok(());
        };
        let (at, len) = self.shape.folio.span(pages);
        let mut vmas = smaps::vmas(subject.pid)?.into_iter();
        let in_one = vmas.any(|v| v.start <= at && at + len <= v.end);
        let mapped = self.runs(0, pages, &|_| true) == [pages.clone()];
        if !in_one || !mapped || !self.shape.moved.is_empty() {
            return Ok(());
        }
        let to = self.shape.room(to)?;
        self.shape.move_to(pages, to)?;
        // userfaultfd does not follow.
        self.change(0, pages, &|_, here| here.protected = false);
        Ok(())
    }

    fn uffd(&mut self, k: usize, pages: &Range<usize>, on: bool) -> Result<(), Stop> {
        let subject = &self.shape.subjects[k];
        for span in self.spans(k, pages, &|h| on || h.protected) {
            let uffd = match self.uffds[k] {
                Some(uffd) => uffd,
                None => *self.uffds[k].insert(Uffd::open(subject)?),
            };
            uffd.add(subject, span.at, span.len)?;
            uffd.protect(subject, (span.at, span.len), on)?;
        }
        self.change(k, pages, &|_, here| here.protected = on);
        Ok(())
    }

    /// Lets all processes write to all that they may access.
    pub fn allow_writes(&mut self) -> Result<(), Stop> {
        let all = 0..self.shape.folio.pages;
        for k in 0..self.shape.subjects.len() {
            self.uffd(k, &all, false)?;
            self.protect(k, &all, false)?;
        }
        Ok(())
    }

    /// Unlocks all that is mlocked.
    pub fn unlock(&mut self) -> Result<(), Stop> {
        let all = 0..self.shape.folio.pages;
        (0..self.shape.subjects.len()).try_for_each(|k| {
            let locked = self.runs(k, &all, &|h| h.locked);
            locked.iter().try_for_each(|run| self.lock(k, run, false))
        })
    }

    /// Writes a pattern of its own to all that process `k` may write to.
    pub fn write_own(&mut self, k: usize) -> Result<(), Stop> {
        let all = 0..self.shape.folio.pages;
        self.write(k, &all, OWN + k as u64)
    }
}

/// The seed of the first process in the end: beyond those of the steps.
const OWN: u64 = 200;
