// SPDX-License-Identifier: GPL-2.0

//! A thread of the process that is raced against: it writes to its pages and reads them back, reads
//! those of the others, and now and then does something to the memory itself.
//!
//! No thread maps memory or allocates once all have begun: it could come to lie where another has
//! just taken pages away.

use std::ops::Range;
use std::thread::sleep;
use std::time::Duration;

use fastrand::Rng;

use super::arena::{words, Arena, OWNERS};
use super::child::Children;
use super::op::Op;
use super::plan::Plan;
use crate::sys;

/// Rounds of all threads after which all memory has been touched, and so long a thread sleeps then.
const ENOUGH: u64 = 2 * OWNERS as u64;
const NAP: Duration = Duration::from_micros(100);
/// Words of a foreign page that are read at a time.
const LOOKS: usize = 16;

/// The thread.
pub struct Owner<'a> {
    /// The memory.
    pub arena: &'a Arena,
    /// Its number, and that of its part.
    pub number: usize,
    /// What it can do to the memory.
    pub ops: &'a [Op],
    /// It does that in one of so many rounds.
    rarely: usize,
    /// Writes to a page before the next one.
    writes: u64,
    /// Whether anybody makes requests.
    requests: bool,
    /// Its source of chance.
    pub random: Rng,
    /// Whom it has forked.
    pub children: Children,
    /// Room for a copy of its pages.
    pub copy: Vec<u8>,
}

impl<'a> Owner<'a> {
    /// One of them.
    pub fn new(arena: &'a Arena, number: usize, plan: &'a Plan) -> Self {
        Owner {
            arena,
            number,
            ops: plan.ops,
            rarely: plan.rarely,
            writes: plan.writes,
            requests: plan.triggers > 0,
            random: Rng::with_seed(number as u64 + 1),
            children: Children::new(arena.pages()),
            copy: vec![0; arena.size() / OWNERS],
        }
    }

    /// Goes on until it is told to stop.
    pub fn run(&mut self) {
        let board = self.arena.board;
        while board.stop.get() == 0 {
            self.write_some();
            self.look_around();
            if !self.ops.is_empty() && self.random.usize(..self.rarely) == 0 {
                let op = self.ops[self.random.usize(..self.ops.len())];
                self.perform(op);
            }
            if self.number == 0 && board.renew.get() != board.renewed.get() {
                self.renew();
            }
            if self.number == 1 && board.split.get() != board.tried_to_split.get() {
                board.tried_to_split.set(board.split.get());
                self.perform(Op::Split);
            }
            board.rounds.add(1);
            self.pause();
        }
        self.children.reap(board);
        let _here = self.arena.hold(self.number);
        self.check(self.arena.part(self.number));
    }

    /// Lets others go on. When all has been touched since the last request, the processor is better
    /// left to who makes the next one, above all if it is emulated.
    fn pause(&self) {
        let board = self.arena.board;
        let rounds = board.rounds.get() - board.rounds_before.get().min(board.rounds.get());
        match self.requests && board.under_way.get() == 0 && rounds > ENOUGH {
            true => sleep(NAP),
            false => sys::give_way(),
        }
    }

    /// Writes to all of its pages, and reads one of them in full.
    fn write_some(&mut self) {
        let _here = self.arena.hold(self.number);
        let part = self.arena.part(self.number);
        let leave = self.leaves_free();
        for page in part.clone() {
            if !leave || self.arena.written(page).freed() == 0 {
                self.arena.write(page, self.arena.at(page), self.writes);
            }
        }
        let page = part.start + self.random.usize(..part.len());
        self.check(page..page + 1);
    }

    /// Reads pages of another thread.
    fn look_around(&mut self) {
        let other = (self.number + 1 + self.random.usize(..OWNERS - 1)) % OWNERS;
        let Some(_here) = self.arena.try_hold(other) else {
            return;
        };
        let k = self.random.usize(..words() - LOOKS);
        for page in self.arena.part(other) {
            self.arena.look(page, k..k + LOOKS);
        }
    }

    /// Reads pages of its own in full, where they belong.
    pub fn check(&self, pages: Range<usize>) {
        for page in pages {
            self.arena.check(page, self.arena.at(page));
        }
    }

    /// Some of its pages, in one piece.
    pub fn some(&mut self) -> Range<usize> {
        let part = self.arena.part(self.number);
        let len = 1 + self.random.usize(..part.len());
        let start = part.start + self.random.usize(..part.len() - len + 1);
        start..start + len
    }

    /// Has a large folio made anew: gives all memory back, and touches it.
    ///
    /// What is written first decides how large the folio is; a read would map the zero page.
    pub fn renew(&mut self) {
        let arena = self.arena;
        let _away: [_; OWNERS] = std::array::from_fn(|owner| arena.take(owner));
        let wanted = arena.board.renew.get();
        // Not MADV_DONTNEED: VMAs that got an anon_vma of their own would never merge again.
        if let Err(e) = arena.map(arena.address, arena.size()) {
            arena.board.call_failed(&e);
        }
        self.given_back(0..arena.pages());
        arena.board.renewed.set(wanted);
    }

    /// Notes that pages are gone, and puts new ones there.
    pub fn given_back(&self, pages: Range<usize>) {
        for page in pages {
            self.arena.written(page).given_back();
            self.arena.put(page, 0, 0);
        }
    }
}
