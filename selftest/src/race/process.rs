// SPDX-License-Identifier: GPL-2.0

//! The process that is raced against.

use std::sync::Barrier;
use std::thread;

use super::arena::{Arena, OWNERS};
use super::board::Board;
use super::owner::Owner;
use super::Plan;
use crate::sys;

/// How often an end in the middle of a request is tried for.
const TRIES: usize = 10_000;

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// When it is told to.
    Told,
    /// By `exit_group(2)`, in the middle of the request of this number, or after it.
    Exit(u64),
    /// Likewise, by `SIGKILL`.
    Kill(u64),
}

/// Runs all threads until the end.
pub fn run(arena: &Arena, plan: &Plan, ending: Ending) -> ! {
    sys::die_with_parent();
    sys::use_all_cpus();
    sys::one_heap();
    let board = arena.board;
    if let Err(e) = arena.map(arena.address, arena.size()) {
        board.call_failed(&e);
    }
    // The first large folio.
    arena.put(0, 0, 0);
    let begin = Barrier::new(OWNERS + 1);
    let died = thread::scope(|scope| {
        let mut all = Vec::new();
        for number in 0..OWNERS {
            let begin = &begin;
            let mut owner = Owner::new(arena, number, plan);
            all.push(scope.spawn(move || {
                begin.wait();
                owner.run();
            }));
        }
        begin.wait();
        match ending {
            Ending::Told => {}
            Ending::Exit(after) => {
                wait_for_request(board, after);
                sys::exit_now(0);
            }
            Ending::Kill(after) => {
                wait_for_request(board, after);
                sys::kill(std::process::id() as i32);
            }
        }
        all.into_iter().any(|one| one.join().is_err())
    });
    sys::exit_now(i32::from(died))
}

fn wait_for_request(board: &Board, after: u64) {
    while board.requests.get() < after {
        sys::give_way();
    }
    for _ in 0..TRIES {
        if board.under_way.get() != 0 {
            break;
        }
        std::hint::spin_loop();
    }
    board.exiting.set(1);
}
