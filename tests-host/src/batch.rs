// SPDX-License-Identifier: GPL-2.0

//! The scan, the runs and the cursor by themselves.

use crate::{
    property::{holds, lay_out},
    ttu::{
        batch::{page_anon_exclusive_batch, pte_batch, BatchLen, Cursor},
        PAGE_SIZE,
    },
};
use core::cell::Cell;
use proptest::{bits, option, prelude::*};

const DIRTY: u64 = 1 << 0;
const ACCESSED: u64 = 1 << 1;
/// What may differ between the entries of a batch.
const LOOSE: u64 = DIRTY | ACCESSED;
/// Write, soft-dirty and the like, which may not.
const FLAGS: u32 = 2;
/// One page further on.
const PAGE: u64 = 1 << 8;

/// Whether two entries next to each other may be handled as one: of two pages next to each other,
/// and otherwise different only in what the hardware sets by itself.
fn joined(pte: u64, next: u64) -> bool {
    next & !LOOSE == (pte & !LOOSE) + PAGE
}

pub(crate) fn len(nr: u32) -> BatchLen {
    BatchLen::new(nr).unwrap()
}

/// A page table's entries, of which every aligned `block` that is alike is known as such.
#[derive(Clone, Debug)]
struct Table {
    ptes: Vec<u64>,
    block: Option<usize>,
    first: usize,
    max: usize,
}

impl Table {
    fn hint(&self, place: usize) -> u32 {
        let Some(block) = self.block else {
            return 1;
        };
        let start = place / block * block;
        match self.ptes.get(start..start + block) {
            Some(entries) if entries.windows(2).all(|pair| joined(pair[0], pair[1])) => {
                (start + block - place) as u32
            }
            _ => 1,
        }
    }

    /// Counts as the module does; entries that must not be looked at fail the test.
    fn scan(&self) -> u32 {
        let key = |pte: u64| pte & !LOOSE;
        let known = Cell::new(self.hint(self.first));
        let peek = |index: u32| {
            assert!((index as usize) < self.max, "entry {index} is looked at");
            assert!(index >= known.get(), "entry {index} is known already");
            let place = self.first + index as usize;
            known.set(index + self.hint(place));
            Some((self.ptes[place], self.hint(place)))
        };
        pte_batch(
            key(self.ptes[self.first]),
            self.hint(self.first),
            len(self.max as u32),
            peek,
            |pte, expected| key(pte) == expected,
            |pte, nr| pte + u64::from(nr) * PAGE,
        )
        .get()
    }

    /// Counts by neighbours.
    fn count(&self) -> u32 {
        let entries = &self.ptes[self.first..self.first + self.max];
        let joints = entries
            .windows(2)
            .take_while(|pair| joined(pair[0], pair[1]));
        1 + joints.count() as u32
    }
}

fn table() -> impl Strategy<Value = Table> {
    let row = (1..40usize, (0..3usize, 0..4u64));
    let block = option::of(prop_oneof![Just(4usize), Just(16usize)]);
    (
        prop::collection::vec(row, 1..6),
        bits::u64::ANY,
        block,
        0..96usize,
        1..96usize,
    )
        .prop_map(|(rows, loose, block, first, max)| {
            let cells = lay_out(&rows, 96);
            let ptes = cells
                .iter()
                .enumerate()
                .map(|(place, &(gap, flags))| {
                    let noise = loose.rotate_left(place as u32) & LOOSE;
                    ((4096 + place + 7 * gap) as u64 * PAGE) | (flags << FLAGS) | noise
                })
                .collect();
            Table {
                ptes,
                block,
                first,
                max: max.min(96 - first),
            }
        })
}

#[test]
fn a_scan_counts_what_neighbours_say_and_looks_no_further_than_max() {
    holds(100_000, table(), |table| {
        let nr = table.scan();
        prop_assert_eq!(nr, table.count());
        prop_assert!(1 <= nr && nr <= table.max as u32);
        Ok(())
    });
}

#[test]
fn a_scan_ends_where_there_is_nothing_more_to_see() {
    holds(
        10_000,
        (1..64u32, 1..64u32, 1..20u32),
        |(there, max, hint)| {
            let nr = pte_batch(
                0u32,
                hint,
                len(max),
                |index| (index < there).then_some((index, 1)),
                |pte, expected| pte == expected,
                |pte, nr| pte + nr,
            );
            prop_assert_eq!(nr.get(), there.max(hint).min(max));
            Ok(())
        },
    );
}

#[test]
fn a_hint_of_zero_or_beyond_max_does_no_harm() {
    holds(
        10_000,
        (1..40u32, prop::collection::vec(0..100u32, 40)),
        |(max, hints)| {
            let nr = pte_batch(
                0u32,
                hints[0],
                len(max),
                |index| Some((index, hints[index as usize])),
                |pte, expected| pte == expected,
                |pte, nr| pte + nr,
            );
            prop_assert_eq!(nr, len(max));
            Ok(())
        },
    );
}

#[test]
fn a_run_is_as_long_as_its_pages_agree() {
    holds(
        30_000,
        prop::collection::vec(prop::bool::weighted(0.9), 1..80),
        |flags| {
            let asked = Cell::new(0);
            let (exclusive, nr) = page_anon_exclusive_batch(len(flags.len() as u32), |index| {
                asked.set(asked.get().max(index));
                flags[index as usize]
            });
            prop_assert_eq!(exclusive, flags[0]);
            let (run, rest) = flags.split_at(nr.get() as usize);
            prop_assert!(run.iter().all(|&flag| flag == exclusive));
            prop_assert!(
                rest.first().is_none_or(|&flag| flag != exclusive),
                "too short"
            );
            prop_assert!(
                asked.get() <= nr.get(),
                "a page behind the run is asked for"
            );
            Ok(())
        },
    );
}

#[test]
fn a_cursor_never_leaves_its_batch() {
    let steps = prop::collection::vec(prop_oneof![1..20u32, Just(u32::MAX)], 0..20);
    holds(20_000, (1..100u32, steps), |(nr, steps)| {
        let mut cursor = Cursor::new(len(nr));
        let mut done = 0u64;
        for step in steps {
            cursor.advance(len(step));
            done = (done + u64::from(step)).min(u64::from(nr));
            prop_assert_eq!(u64::from(cursor.done()), done);
            let left = cursor.remaining().map_or(0, BatchLen::get);
            prop_assert_eq!(cursor.done() + left, nr);
        }
        Ok(())
    });
}

#[test]
fn a_length_of_zero_cannot_be_made() {
    assert_eq!(BatchLen::new(0), None);
    assert_eq!(BatchLen::ONE, len(1));
    assert_eq!(len(16).bytes(), 16 * PAGE_SIZE);
    assert_eq!(len(3).min(len(2)), len(2));
}
