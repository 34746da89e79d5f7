// SPDX-License-Identifier: GPL-2.0

//! Swap that comes and goes while requests use it.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::board::Board;
use crate::observe::swaps;
use crate::sys;

/// Requests that are made with swap before it is turned off, at most.
const REQUESTS: u64 = 8;
/// How often the processor is given away, at most, until there were so many.
const PATIENCE: usize = 1000;

/// Turns the swap area off and on until the end. All that is in swap comes back each time.
pub fn switch(board: &Board, end: &AtomicBool) -> io::Result<()> {
    let areas = swaps::areas()?;
    let [area] = &areas[..] else {
        return Err(io::Error::other("not one swap area"));
    };
    while !end.load(Relaxed) {
        let requests = board.requests.get();
        for _ in 0..PATIENCE {
            sys::give_way();
            if board.requests.get() >= requests + REQUESTS && swaps::used_kb()? > 0 {
                break;
            }
        }
        let (requests, used) = (board.requests.get(), swaps::used_kb()?);
        sys::swapoff(&area.path)?;
        let under_requests = board.requests.get() != requests;
        board.switches.add(1);
        sys::swapon(&area.path)?;
        board.switches.add(1);
        board.switched.add(u64::from(used > 0 && under_requests));
    }
    Ok(())
}
