// SPDX-License-Identifier: GPL-2.0

//! Batches, runs and the cursor together: a folio's entries on their way to swap entries, with a
//! failure somewhere, against a page after the other.

use crate::{
    batch::len,
    property::{holds, lay_out},
    ttu::{
        batch::{page_anon_exclusive_batch, pte_batch, Cursor},
        tally::{Stop, Tally, NR_LENGTHS},
    },
};
use core::iter::successors;
use proptest::prelude::*;

/// The frame number of the first page.
const PFN: u32 = 4096;
/// The swap offset of the first page's slot.
const SLOT: u32 = 512;
const NR_MAX: usize = 512;

/// A page table entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pte {
    Mapped { pfn: u32, write: bool },
    Cleared,
    Swap { offset: u32, exclusive: bool },
}

/// One page of the folio: `(write, exclusive)`.
type Cell = (bool, bool);

/// All that is kept account of.
#[derive(Clone, Debug)]
struct Books {
    ptes: Vec<Pte>,
    /// References to the slots.
    refs: Vec<i32>,
    tally: Tally,
}

impl Books {
    fn new(cells: &[Cell]) -> Self {
        let ptes = (PFN..).zip(cells);
        Self {
            ptes: ptes
                .map(|(pfn, &(write, _))| Pte::Mapped { pfn, write })
                .collect(),
            refs: vec![0; cells.len()],
            tally: Tally::default(),
        }
    }

    fn is_sound(&self) -> bool {
        let mut both = self.ptes.iter().zip(&self.refs);
        both.all(|(pte, &refs)| match pte {
            Pte::Mapped { .. } => refs == 0,
            Pte::Cleared => false,
            Pte::Swap { .. } => refs == 1,
        })
    }

    /// Counts the entries from `first` on that are cleared together, as `unmap_batch.rs` does.
    fn scan(&self, first: usize) -> Option<Cursor> {
        let (&pte, left) = (self.ptes.get(first)?, self.ptes.len() - first);
        let nr = pte_batch(
            pte,
            1,
            len(left as u32),
            |index| Some((self.ptes[first + index as usize], 1)),
            |pte, expected| pte == expected,
            |pte, nr| match pte {
                Pte::Mapped { pfn, write } => Pte::Mapped {
                    pfn: pfn + nr,
                    write,
                },
                other => other,
            },
        );
        Some(Cursor::new(nr))
    }

    /// Takes batch after batch and commits each run by run, until run number `failing` (of all
    /// batches) cannot be.
    ///
    /// In short what `unmap_batch.rs` and `swapbacked.rs` do with the lengths they are given.
    fn walk(&mut self, cells: &[Cell], failing: u32) {
        let mut first = 0;
        while let Some(mut cursor) = self.scan(first) {
            let Some(nr) = cursor.remaining() else {
                panic!("an empty batch");
            };
            let batch = first..first + nr.get() as usize;
            let old = self.ptes[first];
            self.tally.add_batch(nr);
            self.ptes[batch.clone()].fill(Pte::Cleared);

            while let Some(left) = cursor.remaining() {
                let next = first + cursor.done() as usize;
                let (exclusive, nr) =
                    page_anon_exclusive_batch(left, |index| cells[next + index as usize].1);
                let run = next..next + nr.get() as usize;
                self.refs[run.clone()]
                    .iter_mut()
                    .for_each(|refs| *refs += 1);
                if self.tally.runs == failing {
                    self.refs[run].iter_mut().for_each(|refs| *refs -= 1);
                    self.tally.stopped(Stop::Pinned);
                    break;
                }
                self.tally.add_run(nr);
                for place in run {
                    let offset = SLOT + place as u32;
                    self.ptes[place] = Pte::Swap { offset, exclusive };
                }
                cursor.advance(nr);
            }

            let Some(rest) = cursor.remaining() else {
                first = batch.end;
                continue;
            };
            self.tally.restored += rest.get();
            let Pte::Mapped { pfn, write } = old else {
                panic!("cleared twice");
            };
            let left = cursor.done()..cursor.done() + rest.get();
            for index in left {
                let pfn = pfn + index;
                self.ptes[first + index as usize] = Pte::Mapped { pfn, write };
            }
            return;
        }
    }
}

/// What has to come of it, seen from each page by itself.
fn page_by_page(cells: &[Cell], failing: u32) -> (Vec<Pte>, Tally) {
    // The batch and the run, counted from 0, that each page belongs to.
    let number = |differs: fn(Cell, Cell) -> bool| -> Vec<u32> {
        let mut pairs = cells.windows(2);
        successors(Some(0), |&nr| {
            let pair = pairs.next()?;
            Some(nr + u32::from(differs(pair[0], pair[1])))
        })
        .collect()
    };
    let batch_of = number(|(write, _), (next, _)| write != next);
    let run_of = number(|cell, next| cell != next);
    // Entries are cleared up to the end of the batch with the first page that stays mapped.
    let stays = run_of.iter().position(|&run| run >= failing);
    let reached = |place: usize| stays.is_none_or(|page| batch_of[place] <= batch_of[page]);

    let mut ptes = vec![];
    let mut tally = Tally::default();
    for (place, &(write, exclusive)) in cells.iter().enumerate() {
        let index = place as u32;
        let begins = |of: &[u32]| u32::from(place == 0 || of[place] != of[place - 1]);
        let gone = run_of[place] < failing;
        ptes.push(if gone {
            let offset = SLOT + index;
            Pte::Swap { offset, exclusive }
        } else {
            let pfn = PFN + index;
            Pte::Mapped { pfn, write }
        });
        tally.unmapped += u32::from(gone);
        tally.runs += if gone { begins(&run_of) } else { 0 };
        if !gone {
            tally.stop = Some(Stop::Pinned);
        }
        if reached(place) {
            tally.restored += u32::from(!gone);
            tally.batches += begins(&batch_of);
        }
    }
    for batch in 0..tally.batches {
        let nr = batch_of.iter().filter(|&&of| of == batch).count();
        let power = (0..NR_LENGTHS).rev().find(|&power| nr >= 1 << power);
        tally.lengths[power.unwrap()] += 1;
    }
    (ptes, tally)
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    let length = prop_oneof![4 => 1..6usize, 3 => 6..40usize, 1 => Just(NR_MAX)];
    let write = prop::collection::vec((length.clone(), any::<bool>()), 1..5);
    let exclusive = prop::collection::vec((length, any::<bool>()), 1..6);
    (0..=NR_MAX.ilog2(), write, exclusive).prop_map(|(order, write, exclusive)| {
        let nr = 1 << order;
        let write = lay_out(&write, nr);
        write.into_iter().zip(lay_out(&exclusive, nr)).collect()
    })
}

/// A run that fails: one of the first, or none of all.
fn failing() -> impl Strategy<Value = u32> {
    prop_oneof![5 => 0..8u32, 2 => 0..64u32, 3 => Just(u32::MAX)]
}

#[test]
fn a_failing_run_ends_the_walk_as_it_would_page_by_page() {
    holds(100_000, (cells(), failing()), |(cells, failing)| {
        let mut books = Books::new(&cells);
        prop_assert!(books.is_sound());
        books.walk(&cells, failing);
        prop_assert!(books.is_sound(), "{:?}", books);

        let (ptes, tally) = page_by_page(&cells, failing);
        for (place, (pte, expected)) in books.ptes.iter().zip(&ptes).enumerate() {
            prop_assert_eq!(pte, expected, "entry {}", place);
        }
        let counted = |tally: &Tally| {
            let nr = (tally.batches, tally.runs, tally.unmapped, tally.restored);
            (nr, tally.lengths, tally.stop)
        };
        prop_assert_eq!(counted(&books.tally), counted(&tally));
        Ok(())
    });
}
