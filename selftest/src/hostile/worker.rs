// SPDX-License-Identifier: GPL-2.0

//! Who makes the requests. What is asked follows from the seed and the number of the request.

use std::fs::File;
use std::io::{self, Write};

use fastrand::Rng;

use super::open::{asked, shown, Open, Wrong};
use super::tally::Tally;
use super::world::World;
use super::{deliver, dying, far, files, late, switch, Plan};
use crate::sys;
use crate::trigger::{self, Report};

/// A way to make a request: its answer, or what is wrong with it.
type Kind = fn(&mut Worker) -> Result<i32, Wrong>;

/// All ways, and how often each is taken.
pub const KINDS: [(&str, u32, Kind); 18] = [
    ("one write", 5000, deliver::plain),
    ("write at an offset", 800, deliver::offset),
    ("write in two parts", 800, deliver::split),
    ("writev", 600, deliver::vector),
    ("too long", 400, deliver::huge),
    ("from no memory", 500, deliver::bad_pointer),
    ("on one file for all", 600, deliver::common),
    ("read in parts", 400, files::read),
    ("read to no memory", 200, files::read_bad),
    ("read far beyond the end", 200, far::read),
    ("open", 400, files::open),
    ("calls there are not", 300, files::calls),
    ("live", 300, switch::write),
    ("stats", 60, files::stats),
    ("asks and is killed", 40, dying::asker),
    ("asked about, and dies", 40, dying::target),
    ("dies in a page fault", 40, late::in_fault),
    ("page that comes late", 20, late::late_page),
];

/// Open files that a worker has for itself.
const FILES: usize = 3;
/// After so many things that are wrong, all stop.
const ENOUGH: u64 = 20;

/// One thread that makes requests.
pub struct Worker<'a> {
    /// Whom to name.
    pub world: &'a World,
    /// What has been done.
    pub tally: &'static Tally,
    /// The chance of the request that is under way.
    pub rng: Rng,
    /// A number of its own.
    pub slot: i32,
    /// An open `unmap` that all have in common.
    pub common: &'a File,
    /// What `live` has to say, if that stays the same.
    pub live: Option<bool>,
    /// Memory that ends before a page that is not accessible.
    pub border: sys::Shared,
    /// A pipe that is not empty.
    pub pipe: (File, File),
    /// The last totals it has seen.
    pub totals: Report,
    opens: Vec<Open>,
}

impl<'a> Worker<'a> {
    /// One of them.
    pub fn new(
        world: &'a World,
        tally: &'static Tally,
        slot: i32,
        common: &'a File,
        live: Option<bool>,
    ) -> io::Result<Self> {
        Ok(Worker {
            world,
            tally,
            rng: Rng::with_seed(0),
            slot,
            common,
            live,
            border: deliver::border()?,
            pipe: files::full_pipe()?,
            totals: trigger::stats()?,
            opens: (0..FILES)
                .map(|_| Open::of_its_own())
                .collect::<io::Result<_>>()?,
        })
    }

    /// Makes requests until all are made. What is wrong goes to `out`, a line each.
    pub fn run(&mut self, plan: &Plan, mut out: &File) {
        while self.tally.stop.get() == 0 {
            let number = plan.first + self.tally.next.next();
            if number >= plan.first + plan.requests {
                break;
            }
            self.rng = Rng::with_seed(plan.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
            let kind = self.draw_kind();
            let (name, _, make) = KINDS[kind];
            match make(self) {
                Ok(errno) => self.tally.note(kind, errno),
                Err(why) => {
                    self.tally.note(kind, -1);
                    let line = format!("request {number}: {name}: {why}\n");
                    let failed = self.tally.failed.next();
                    if failed < ENOUGH {
                        eprint!("{line}");
                        let _ = out.write_all(line.as_bytes());
                    } else {
                        self.tally.stop.set(1);
                    }
                }
            }
        }
    }

    fn draw_kind(&mut self) -> usize {
        let all: u32 = KINDS.iter().map(|(_, weight, _)| weight).sum();
        let mut at = self.rng.u32(..all);
        let found = KINDS.iter().position(|(_, weight, _)| {
            let here = at < *weight;
            at = at.saturating_sub(*weight);
            here
        });
        found.unwrap_or(0)
    }

    /// Does something with one of its open files.
    pub fn with_open(
        &mut self,
        what: impl FnOnce(&mut Self, &mut Open) -> Result<i32, Wrong>,
    ) -> Result<i32, Wrong> {
        let at = self.rng.usize(..self.opens.len());
        let mut open = self.opens.swap_remove(at);
        let done = what(self, &mut open);
        self.opens.push(open);
        done
    }

    /// Writes and judges. Who reads then gets the answer from its beginning.
    pub fn write(&self, open: &mut Open, text: &[u8]) -> Result<i32, Wrong> {
        let errno = self.judge(open, text, open.write(text))?;
        match open.seek(0, libc::SEEK_CUR) {
            Ok(at) if errno == 0 && at != 0 => {
                Err(format!("{}: reading goes on at {at}", shown(text)))
            }
            Ok(_) => Ok(errno),
            Err(e) => Err(format!("lseek: errno {e}")),
        }
    }

    /// Judges what a write has returned.
    pub fn judge(
        &self,
        open: &mut Open,
        text: &[u8],
        got: Result<usize, i32>,
    ) -> Result<i32, Wrong> {
        self.tally
            .carried
            .add(asked(self.world, text).0.is_some().into());
        open.judge(self.world, text, got)
    }
}
