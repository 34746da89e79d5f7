// SPDX-License-Identifier: GPL-2.0

//! Soft-dirty bits that differ within a folio: they survive, and end batches.

use super::course::compare_paths;
use super::mixed::MASKS;
use crate::runner::Test;
use crate::shape;
use crate::subject::Family;

/// Every mask on a folio of 16 pages.
pub fn tests() -> Vec<Test> {
    let test = |(name, mask): (&'static str, fn(usize, usize) -> bool)| {
        Test::new(
            format!("softdirty: 16 pages, {name} dirty"),
            move |checks| {
                let family = Family::new(2)?;
                compare_paths(checks, false, &|| {
                    shape::soft_dirty(&family, 4, &|i| mask(i, 16))
                })
            },
        )
    };
    MASKS.map(test).into()
}
