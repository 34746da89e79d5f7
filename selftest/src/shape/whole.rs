// SPDX-License-Identifier: GPL-2.0

//! Whether this kernel gives a large folio swap slots as it is.
//!
//! One without CONFIG_THP_SWAP (arm64 has it with pages of 4 KiB only) does not: its reclaim
//! splits a large folio first, and a request for one is refused.

use std::sync::OnceLock;

use super::{Folio, Mapping};
use crate::observe::System;
use crate::subject::Family;
use crate::verdict::Stop;

/// The order of the folio that it is tried with: the smallest that every kernel offers.
const ORDER: u32 = 2;

static WHOLE: OnceLock<Result<bool, String>> = OnceLock::new();

/// Lets the kernel swap a large folio by itself, once, so that processes forked later know.
///
/// There must be swap.
pub fn find_out() {
    WHOLE.get_or_init(|| look().map_err(|stop| format!("{stop:?}")));
}

fn look() -> Result<bool, Stop> {
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let folio = Folio::make(&subject, ORDER, Mapping::Pte, libc::MAP_PRIVATE)?;
    let before = System::take()?;
    subject.madvise(folio.address, folio.len(), libc::MADV_PAGEOUT)?;
    let after = System::take()?;
    let moved = |name| {
        let counter = folio.counter(name);
        counter.map_or(0, |counter| after.moved(&before, &counter))
    };
    match ["swpout", "swpout_fallback", "split"].map(moved) {
        [1, 0, 0] => Ok(true),
        [0, 1, 1] => Ok(false),
        odd => Err(Stop::Fail(format!(
            "swpout, swpout_fallback and split moved by {odd:?}"
        ))),
    }
}

/// Whether large folios are swapped whole.
pub fn swapped() -> Result<bool, Stop> {
    match WHOLE.get() {
        Some(Ok(whole)) => Ok(*whole),
        Some(Err(why)) => Err(Stop::Fail(why.clone())),
        None => Err(Stop::Fail("are folios swapped whole? not tried".into())),
    }
}

/// A skip if this kernel does not give a folio of this order swap slots as it is.
pub fn must_be_swapped(order: u32) -> Result<(), Stop> {
    match order == 0 || swapped()? {
        true => Ok(()),
        false => Err(Stop::Skip(
            "this kernel splits a large folio before it swaps it (no CONFIG_THP_SWAP)".into(),
        )),
    }
}

/// `order` where folios of it are swapped whole, else that of a single page.
pub fn order_or_page(order: u32) -> Result<u32, Stop> {
    Ok(if swapped()? { order } else { 0 })
}
