// SPDX-License-Identifier: GPL-2.0

//! What unmapping costs, in nanoseconds of the guest's clock.
//!
//! Where that clock counts instructions (`qemu/run --icount`), so do these numbers. Each cell of
//! the grid is printed as a line of JSON when it is done; bench/README.md says what is in it.

mod case;
mod cell;
mod choice;
mod inside;
mod outside;
mod quiet;

use std::path::Path;

use crate::knobs::{Quiet, Saved};
use crate::observe::mthp;
use crate::shape::whole;
use crate::sys::page_size;
use crate::trigger;
use crate::verdict::Stop;
use cell::Cell;

pub use choice::Choice;

/// Measures what was chosen; false if something failed that must work.
pub fn run(choice: &Choice) -> Result<bool, Stop> {
    quiet::fill_ram_disks()?;
    quiet::wait()?;
    let _quiet = Quiet::new()?;
    let saved = Saved::save();
    mthp::open();
    whole::find_out();
    saved.restore();
    let mut good = true;
    if choice.inside && loaded() {
        good &= inside::run(choice);
    }
    if choice.outside {
        good &= outside::run(choice)?;
    }
    let left = saved.restore();
    match left.is_empty() {
        true => Ok(good),
        false => Err(Stop::Fail(left.join("; "))),
    }
}

/// Whether there is the module.
fn loaded() -> bool {
    Path::new(trigger::UNMAP).exists()
}

/// The order of folios of a size that this kernel offers.
fn order_of(kib: usize) -> Result<u32, Stop> {
    let order = |pages: usize| pages.is_power_of_two().then(|| pages.trailing_zeros());
    order(kib * 1024 / page_size())
        .filter(|order| mthp::orders().contains(order))
        .ok_or_else(|| Stop::Skip(format!("this kernel makes no folios of {kib} KiB")))
}
