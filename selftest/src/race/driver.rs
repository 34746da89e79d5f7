// SPDX-License-Identifier: GPL-2.0

//! Who makes the requests, and what came of them.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::arena::Arena;
use super::board::Board;
use super::tally::{Meanwhile, Tally};
use super::{plan, Watch};
use crate::observe::smaps;
use crate::sys;
use crate::trigger::{Path, Report, Request, Trigger};

/// How often the processor is given away, at most, until the threads have done something.
const PATIENCE: usize = 1000;
/// What is no ordinary anonymous memory is replaced in one of so many times that it is met.
const ODD: usize = 4;
/// How long a request waits, at most, until small folios have been collapsed.
const COLLAPSE: Duration = Duration::from_secs(1);

/// Makes requests for the memory of a process.
pub struct Driver<'a> {
    arena: &'a Arena,
    watch: &'a Watch<'a>,
    pid: i32,
    trigger: Trigger,
    random: Rng,
    /// What came of those of all drivers.
    tally: &'a Mutex<Tally>,
}

impl<'a> Driver<'a> {
    /// One of those that make requests at the same time; `number` tells them apart.
    pub fn new(
        arena: &'a Arena,
        (watch, tally): (&'a Watch<'a>, &'a Mutex<Tally>),
        pid: i32,
        number: u64,
    ) -> io::Result<Self> {
        Ok(Driver {
            arena,
            watch,
            pid,
            trigger: Trigger::open()?,
            random: Rng::with_seed(number + 1),
            tally,
        })
    }

    /// Makes requests until there were as many as planned, or the end of another is the end.
    pub fn run(&mut self, end: &AtomicBool) -> io::Result<()> {
        while !end.load(Relaxed) && !self.enough()? && !self.arena.board.is_bad() {
            self.request()?;
        }
        Ok(())
    }

    /// Whether all came about that was planned, or it is hopeless.
    fn enough(&self) -> io::Result<bool> {
        let plan = self.watch.plan;
        let tally = self.watch.with_live(&self.tally())?;
        let idle = [libc::ENOENT].iter().chain(plan.errnos);
        let tries = tally.requests - idle.map(|errno| tally.ended(*errno)).sum::<u64>();
        Ok(tries >= plan::hopeless() || self.watch.missing(&tally)?.is_empty())
    }

    /// What came of the requests until now.
    fn tally(&self) -> MutexGuard<'a, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes one, and returns its errno.
    pub fn request(&mut self) -> io::Result<i32> {
        let (board, plan) = (self.arena.board, self.watch.plan);
        let page = self.random.usize(..self.arena.pages());
        let request = Request {
            reclaim: self.random.usize(..2) == 0 && plan.reclaim,
            ..Request::new(self.pid, self.arena.at(page), self.path())
        };
        let doing = || {
            let (begun, ended) = (board.begun.get(), board.ended.get());
            (
                begun,
                begun != ended,
                board.rounds.get(),
                board.exiting.get(),
            )
        };

        let before = doing();
        board.requests.add(1);
        let met = board.under_way.next() != 0;
        let errno = self.trigger.write(format!("{request}\n").as_bytes())?;
        let after = doing();
        board.rounds_before.set(after.2);
        board.under_way.take(1);
        let report = Report::parse(&self.trigger.read(4096)?);

        let during = match plan.ops.is_empty() {
            true => before.2 != after.2,
            false => before.1 || before.0 != after.0,
        };
        let meanwhile = Meanwhile {
            raced: during || before.3 != after.3,
            met,
        };
        let large = self.tally().count(&request, (errno, &report), meanwhile);
        if large && plan.split {
            board.split.add(1);
        }
        self.wait_for_another(errno, report.number("pages") == Some(1))?;
        Ok(errno)
    }

    /// Waits until there is something else to unmap, if what was met makes that necessary.
    fn wait_for_another(&mut self, errno: i32, small: bool) -> io::Result<()> {
        let (board, plan) = (self.arena.board, self.watch.plan);
        // All may have become pages of zeroes.
        let odd = errno == libc::EOPNOTSUPP && self.random.usize(..ODD) == 0;
        if errno == libc::ENOENT {
            // Nobody has touched it since the last one.
            let rounds = board.rounds.get();
            self.wait(|board| board.rounds.get() != rounds);
        } else if errno == libc::ENOSPC {
            let what = |board: &Board| (board.begun.get(), board.switches.get());
            let before = what(board);
            self.wait(|board| what(board) != before);
        } else if plan.renew && (small || odd) {
            let wanted = board.renew.next() + 1;
            self.wait(|board| board.renewed.get() >= wanted);
        } else if small && self.random.bool() {
            self.wait_for_collapse()?;
        }
        Ok(())
    }

    /// Lets whoever collapses small folios come to an end with it, if it does not take too long.
    ///
    /// One request after the other would swap out what a collapse needs, before it gets there.
    fn wait_for_collapse(&self) -> io::Result<()> {
        let range = [(self.arena.address, self.arena.size() as u64)];
        let begun = Instant::now();
        while begun.elapsed() < COLLAPSE && !self.arena.board.is_bad() {
            if smaps::read(self.pid, &range)?.kb("AnonHugePages") != 0 {
                break;
            }
            sleep(COLLAPSE / 100);
        }
        Ok(())
    }

    /// Lets the threads of the process go on, until they have done something.
    fn wait(&self, until: impl Fn(&Board) -> bool) {
        for _ in 0..PATIENCE {
            sys::give_way();
            if until(self.arena.board) {
                break;
            }
        }
    }

    /// One in four is the kernel's own.
    fn path(&mut self) -> Path {
        match self.random.usize(..4) {
            0 => Path::Kernel,
            _ => Path::Batched,
        }
    }
}
