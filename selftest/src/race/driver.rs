// SPDX-License-Identifier: GPL-2.0

//! Who makes the requests, and what came of them.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::arena::Arena;
use super::{Plan, Watch};
use crate::observe::smaps;
use crate::sys::{self, errno_name};
use crate::trigger::{Path, Report, Request, Trigger};

/// How often the processor is given away, at most, until the threads have gone on.
const PATIENCE: usize = 1000;
/// How long a request waits, at most, until small folios have been collapsed.
const COLLAPSE: Duration = Duration::from_secs(1);

/// What came of the requests.
#[derive(Default)]
pub struct Tally {
    /// How many were made.
    pub requests: u64,
    /// Batched requests that took several page table entries in one go.
    pub large: u64,
    /// Those of them during which the process did something to the memory.
    pub raced: u64,
    /// Batched requests that put entries back.
    pub restored: u64,
    /// By errno.
    pub ends: BTreeMap<i32, u64>,
    /// Reports that do not belong to their request, or contradict it.
    pub odd: Vec<String>,
}

impl Tally {
    /// Adds that of another.
    pub fn add(&mut self, other: Tally) {
        self.requests += other.requests;
        self.large += other.large;
        self.raced += other.raced;
        self.restored += other.restored;
        for (errno, n) in other.ends {
            *self.ends.entry(errno).or_default() += n;
        }
        self.odd.extend(other.odd);
    }

    /// What the plan wants to see and has not seen yet.
    pub fn missing(&self, plan: &Plan) -> Vec<String> {
        let missing = [
            (self.large < plan.large).then(|| format!("only {} large folios were met", self.large)),
            (self.raced < plan.raced).then(|| format!("only {} batches met a race", self.raced)),
            (self.restored < plan.restored)
                .then(|| format!("only {} requests put entries back", self.restored)),
            (plan.triggers > 0 && self.ended(0) == 0).then(|| "no request succeeded".into()),
        ];
        missing.into_iter().flatten().collect()
    }

    /// How often this errno came.
    pub fn ended(&self, errno: i32) -> u64 {
        self.ends.get(&errno).copied().unwrap_or(0)
    }

    /// The errnos and their numbers, as text.
    pub fn ends(&self) -> String {
        let one = |(errno, n): (&i32, &u64)| format!("{n} {}", errno_name(*errno));
        self.ends.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

/// Makes requests for the memory of a process.
pub struct Driver<'a> {
    arena: &'a Arena,
    plan: &'a Plan,
    watch: &'a Watch,
    pid: i32,
    trigger: Trigger,
    random: Rng,
    /// What came of them.
    pub tally: Tally,
}

impl<'a> Driver<'a> {
    /// One of those that make requests at the same time; `number` tells them apart.
    pub fn new(
        arena: &'a Arena,
        (plan, watch): (&'a Plan, &'a Watch),
        pid: i32,
        number: u64,
    ) -> io::Result<Self> {
        Ok(Driver {
            arena,
            plan,
            watch,
            pid,
            trigger: Trigger::open()?,
            random: Rng::with_seed(number + 1),
            tally: Tally::default(),
        })
    }

    /// Makes requests until there were as many as planned, or the end of another is the end.
    pub fn run(&mut self, end: &AtomicBool) -> io::Result<()> {
        while !end.load(Relaxed) && !self.enough()? && !self.arena.board.is_bad() {
            self.request()?;
        }
        end.store(true, Relaxed);
        Ok(())
    }

    /// Whether all came about that was planned, or it is hopeless.
    fn enough(&self) -> io::Result<bool> {
        let (plan, tally) = (self.plan, &self.tally);
        let all = tally.missing(plan).is_empty()
            && self.arena.board.never_worked(plan.ops).next().is_none()
            && self.watch.seen()?;
        let idle = [libc::ENOENT].iter().chain(plan.errnos);
        let tries = tally.requests - idle.map(|errno| tally.ended(*errno)).sum::<u64>();
        Ok(all || tries >= Plan::MOST * plan.large)
    }

    /// Makes one, and returns its errno.
    pub fn request(&mut self) -> io::Result<i32> {
        let board = self.arena.board;
        let page = self.random.usize(..self.arena.pages());
        let request = Request {
            reclaim: self.random.usize(..2) == 0,
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
        let errno = self.trigger.write(format!("{request}\n").as_bytes())?;
        board.requests.add(1);
        let after = doing();
        let report = Report::parse(&self.trigger.read(4096)?);

        let during = match self.plan.ops.is_empty() {
            true => before.2 != after.2,
            false => before.1 || before.0 != after.0,
        };
        let large = self.count(&request, errno, &report, during || before.3 != after.3);
        if large && self.plan.split {
            board.split.add(1);
        }
        if errno == libc::ENOENT {
            // Nobody has touched it since the last one.
            self.wait_for_threads();
        } else if report.number("pages") == Some(1) {
            match self.plan.renew {
                true => board.renew.add(1),
                false if self.random.bool() => self.wait_for_collapse()?,
                false => {}
            }
        }
        Ok(errno)
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

    /// Lets the threads of the process go on a bit.
    fn wait_for_threads(&self) {
        let rounds = self.arena.board.rounds.get();
        for _ in 0..PATIENCE {
            sys::give_way();
            if self.arena.board.rounds.get() != rounds {
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

    /// Says whether several page table entries were taken in one go.
    fn count(&mut self, request: &Request, errno: i32, report: &Report, during: bool) -> bool {
        let tally = &mut self.tally;
        tally.requests += 1;
        *tally.ends.entry(errno).or_default() += 1;
        let number = |key| report.number(key).unwrap_or(0);
        let (batches, restored) = (number("batches"), number("restored"));
        let large = batches > 0 && number("unmapped") + restored > batches;
        if large {
            tally.large += 1;
            tally.raced += u64::from(during);
            tally.restored += u64::from(restored > 0);
        }
        for (key, want) in [
            ("pid", request.pid.to_string()),
            ("address", format!("{:#x}", request.address)),
            ("path", request.path.to_string()),
            ("reclaim", u8::from(request.reclaim).to_string()),
            ("result", errno_name(errno)),
        ] {
            if report.get(key) != Some(&want) {
                let odd = format!("{request}: report says {key} {:?}", report.get(key));
                tally.odd.push(odd);
            }
        }
        large
    }
}
