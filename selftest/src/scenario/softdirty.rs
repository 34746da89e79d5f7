// SPDX-License-Identifier: GPL-2.0

//! Soft-dirty bits that differ within a folio: they survive, and end batches, whether or not the
//! write bits differ with them.

use super::course::compare_paths;
use super::mixed::{Mask, MASKS};
use super::pinned;
use crate::runner::Test;
use crate::shape::{self, bytes, WriteBits};
use crate::subject::Family;

const ORDER: u32 = 4;
const PAGES: usize = 1 << ORDER;

/// Every mask on a folio of 16 pages, x write bits, and refused; one is written out as well.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (name, mask) in MASKS {
        let name = format!("softdirty: {PAGES} pages, {name} dirty");
        tests.push(unmapped(name.clone(), mask, WriteBits::Differ, false));
        let name = format!("{name}, write bits equal");
        tests.push(unmapped(name.clone(), mask, WriteBits::Equal, false));
        tests.push(refused(format!("{name}, pinned"), mask));
    }
    let name = format!("softdirty: {PAGES} pages, every second page dirty, written out");
    tests.push(unmapped(name, |i, _| i % 2 == 0, WriteBits::Equal, true));
    tests
}

fn unmapped(name: String, mask: Mask, bits: WriteBits, reclaim: bool) -> Test {
    Test::new(name, move |checks| {
        let family = Family::new(2)?;
        compare_paths(checks, reclaim, &|| {
            shape::soft_dirty(&family, ORDER, &|i| mask(i, PAGES), bits, &|_, _| Ok(()))
        })
    })
}

/// A pin wants to write, and would make any other page soft-dirty: the last dirty one has it.
fn refused(name: String, mask: Mask) -> Test {
    Test::new(name, move |checks| {
        pinned::both(checks, (false, false), &|family, ring| {
            let dirty = |i| mask(i, PAGES);
            let pin = (0..PAGES).rfind(|i| dirty(*i)).unwrap_or(0);
            let equal = WriteBits::Equal;
            let shape = shape::soft_dirty(family, ORDER, &dirty, equal, &|subject, folio| {
                ring.pin(subject, folio.page(pin), bytes(1))
            })?;
            Ok((shape, pin))
        })
    })
}
