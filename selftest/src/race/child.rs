// SPDX-License-Identifier: GPL-2.0

//! Children that a thread forks. Each sees a snapshot of the memory, as of the fork, whatever its
//! parent writes from then on, and its parent sees nothing of what it writes.

use super::arena::{words, Arena};
use super::board::{Board, Wrong};
use super::words::{word, BY_CHILD};
use super::written::Known;
use crate::sys::{self, End};

/// How often a child looks at all of its memory.
const PASSES: usize = 4;
/// A child writes to every so many words.
const STEP: usize = 64;

/// The children of one thread, and what it knew when it made the last one.
pub struct Children {
    pid: Option<i32>,
    /// For each page: what was written to it.
    known: Vec<Known>,
}

impl Children {
    /// None yet.
    pub fn new(pages: usize) -> Self {
        Children {
            pid: None,
            known: vec![Known::default(); pages],
        }
    }

    /// Notes what the next child must find at least. The caller holds all of the memory.
    pub fn prepare(&mut self, arena: &Arena) {
        for (page, known) in self.known.iter_mut().enumerate() {
            *known = arena.written(page).known();
        }
    }

    /// Notes the child that was made.
    pub fn add(&mut self, pid: Option<i32>) {
        self.pid = pid;
    }

    /// Waits for the last child.
    pub fn reap(&mut self, board: &Board) {
        let Some(pid) = self.pid.take() else { return };
        match sys::wait(pid, true) {
            Ok(Some(End::Code(0))) => {}
            Ok(end) => {
                let status = match end {
                    Some(End::Code(code)) => code as u64,
                    Some(End::Signal(signal)) => 128 + signal as u64,
                    None => u64::MAX,
                };
                board.wrong(Wrong::ChildEnded, (0, 0), (status, 0));
            }
            Err(e) => board.call_failed(&e),
        }
    }

    /// As the child: looks at everything, writes to everything, and exits.
    pub fn child(&mut self, arena: &Arena) -> ! {
        sys::die_with_parent();
        let board = arena.board;
        for (page, known) in self.known.iter_mut().enumerate() {
            if let Err((k, found, expected)) = arena.snapshot(page, known) {
                let wrong = Wrong::ChildNotSnapshot;
                board.wrong(wrong, (page, k), (found, expected));
                sys::exit_now(0);
            }
        }
        for _ in 0..PASSES {
            sys::give_way();
            for (page, known) in self.known.iter_mut().enumerate() {
                if let Err((k, found, expected)) = arena.same_snapshot(page, known) {
                    let wrong = Wrong::ChildSnapshotChanged;
                    board.wrong(wrong, (page, k), (found, expected));
                }
            }
        }
        // Its parent may have made a part read-only.
        match sys::protect(arena.address, arena.size(), true) {
            Ok(()) => self.write(arena),
            Err(e) => board.call_failed(&e),
        }
        sys::exit_now(0)
    }

    /// Writes what no thread of the parent ever writes, and reads it back.
    fn write(&self, arena: &Arena) {
        let mark = |page| word(1, arena.tag(page) | BY_CHILD);
        let places = || (0..words()).step_by(STEP);
        for page in 0..arena.pages() {
            places().for_each(|k| arena.put(page, k, mark(page)));
        }
        sys::give_way();
        for page in 0..arena.pages() {
            for k in places() {
                let found = arena.get(page, k);
                if found != mark(page) {
                    let wrong = Wrong::ChildLostWrite;
                    arena.board.wrong(wrong, (page, k), (found, mark(page)));
                }
            }
        }
    }
}
