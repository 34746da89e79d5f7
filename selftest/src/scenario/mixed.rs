// SPDX-License-Identifier: GPL-2.0

//! Folios of which a fork shared some pages and not others.

use super::course::compare_paths;
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::{self, bytes, WriteBits};
use crate::subject::Family;

/// A choice among the pages of a folio: of page `i` of `n`.
pub type Mask = fn(usize, usize) -> bool;

/// The choices, by name.
pub const MASKS: [(&str, Mask); 6] = [
    ("the first half", |i, n| i < n / 2),
    ("the second half", |i, n| i >= n / 2),
    ("every second page", |i, _| i % 2 == 0),
    ("the first page", |i, _| i == 0),
    ("the last page", |i, n| i == n - 1),
    ("all but three in the middle", |i, n| i.abs_diff(n / 2) > 1),
];

/// Every mask x write bits x reclaim, on folios of 16 pages and of PMD size.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let offered = mthp::orders();
    for order in [4, mthp::pmd_order()] {
        if !offered.contains(&order) {
            continue;
        }
        for (name, mask) in MASKS {
            for bits in [WriteBits::Equal, WriteBits::Differ] {
                for reclaim in [false, true] {
                    // 512 pages of each mask, with 512 faults to read them back, take long.
                    if order > 4 && (reclaim || name.contains("one") || name.contains("three")) {
                        continue;
                    }
                    add(&mut tests, order, (name, mask), bits, reclaim);
                }
            }
        }
    }
    tests
}

fn add(
    tests: &mut Vec<Test>,
    order: u32,
    (mask_name, mask): (&str, Mask),
    bits: WriteBits,
    reclaim: bool,
) {
    let pages = 1 << order;
    let name = format!(
        "mixed: {} kB, {mask_name} exclusive, write bits {}, reclaim={}",
        bytes(pages) / 1024,
        format!("{bits:?}").to_lowercase(),
        u8::from(reclaim)
    );
    tests.push(Test::new(name, move |checks| {
        let family = Family::new(4)?;
        compare_paths(checks, reclaim, &|| {
            shape::mixed(&family, order, &|i| mask(i, pages), bits, &|_, _| Ok(()))
        })
    }));
}
