// SPDX-License-Identifier: GPL-2.0

//! Draws a plan: the same one for the same seed, on kernels that offer the same sizes of folios.

use std::ops::Range;

use super::plan::{Act, Layout, Plan, Step};
use crate::observe::mthp;
use crate::shape::{bytes, Mapping};

/// Larger folios take too long.
const MOST_BYTES: u64 = 2 << 20;
const MOST_PROCESSES: usize = 4;

/// What is done before and between requests, and how often, compared with the others.
const ACTS: [(Act, u32); 25] = [
    (Act::Fork, 10),
    (Act::Exit, 2),
    (Act::Write, 8),
    (Act::Zero, 2),
    (Act::Read, 3),
    (Act::ReadOnly, 6),
    (Act::Writable, 3),
    (Act::Apart, 4),
    (Act::Free, 4),
    (Act::Lock, 4),
    (Act::Unlock, 1),
    (Act::Pin, 4),
    (Act::Unpin, 1),
    (Act::Pipe, 2),
    (Act::Drain, 1),
    (Act::DontNeed, 4),
    (Act::Munmap, 2),
    (Act::Move, 2),
    (Act::MoveAcross, 3),
    (Act::Protect, 4),
    (Act::Unprotect, 1),
    (Act::ClearSoftDirty, 4),
    (Act::Mergeable, 1),
    (Act::Unmergeable, 1),
    (Act::Merge, 1),
];

const REQUESTS: [(Act, u32); 4] = [
    (Act::Unmap, 6),
    (Act::UnmapRange, 2),
    (Act::Reclaim, 3),
    (Act::ReclaimRange, 1),
];

/// Folios of 16 pages are the smallest that contpte blocks can map.
const ORDERS: [(u32, u32); 10] = [
    (0, 2),
    (1, 1),
    (2, 4),
    (3, 4),
    (4, 10),
    (5, 5),
    (6, 2),
    (7, 1),
    (8, 1),
    (9, 2),
];

/// One plan of so many begins with a folio that is lazily freed as a whole.
const LAZILY_FREED: u32 = 6;

/// Draws the plan of a seed.
pub fn plan(seed: u64) -> Plan {
    let offered = mthp::orders();
    let fits = |order: u32| offered.contains(&order) && bytes(1 << order) <= MOST_BYTES;
    let orders: Vec<_> = ORDERS.into_iter().filter(|(o, _)| fits(*o)).collect();
    Draw(fastrand::Rng::with_seed(seed)).plan(&orders, mthp::pmd_order())
}

struct Draw(fastrand::Rng);

impl Draw {
    /// One of them, by their weights.
    fn one<T: Copy>(&mut self, of: &[(T, u32)]) -> T {
        let mut at = self.0.u32(0..of.iter().map(|(_, weight)| weight).sum());
        for (thing, weight) in of {
            match at.checked_sub(*weight) {
                Some(left) => at = left,
                None => return *thing,
            }
        }
        of[0].0
    }

    fn pages(&mut self, pages: usize) -> Range<usize> {
        match self.0.u32(0..4) {
            // All, a half, a page, any.
            0 => 0..pages,
            1 if pages > 1 => [0..pages / 2, pages / 2..pages][self.0.usize(0..2)].clone(),
            2 => {
                let at = self.0.usize(0..pages);
                at..at + 1
            }
            _ => {
                let start = self.0.usize(0..pages);
                start..self.0.usize(start + 1..pages + 1)
            }
        }
    }

    fn step(&mut self, act: Act, processes: usize, pages: usize) -> Step {
        let pages = match act {
            // To free a part splits the folio.
            Act::Free if self.0.bool() => 0..pages,
            Act::Fork if self.0.bool() => 0..0,
            act if act.of_pages() => self.pages(pages),
            _ => 0..0,
        };
        Step {
            act,
            process: self.0.usize(0..processes),
            pages,
        }
    }

    fn plan(&mut self, orders: &[(u32, u32)], pmd: u32) -> Plan {
        let order = self.one(orders);
        let mut plan = Plan {
            order,
            mapping: match order == pmd && self.0.bool() {
                true => Mapping::Pmd,
                false => Mapping::Pte,
            },
            layout: self.one(&[
                (Layout::Alone, 4),
                (Layout::Wide, 2),
                // The kernel splits no folio into those of two pages each.
                (
                    Layout::Near,
                    if order > 1 && order + 2 <= pmd { 3 } else { 0 },
                ),
            ]),
            steps: Vec::new(),
        };
        // Later it may be shared, and then the kernel does not free it.
        if self.0.u32(0..LAZILY_FREED) == 0 {
            plan.steps.push(Step {
                act: Act::Free,
                process: 0,
                pages: 0..1 << order,
            });
        }
        let mut processes = 1;
        for round in 0..self.0.usize(1..4) {
            // The first round makes the shape.
            let most = [7, 4, 3][round];
            for _ in 0..self.0.usize(1..most + 1) {
                let act = self.one(&ACTS);
                match act {
                    Act::Fork if processes == MOST_PROCESSES => continue,
                    Act::Exit if processes == 1 => continue,
                    Act::Move | Act::MoveAcross if processes > 1 => continue,
                    _ => plan.steps.push(self.step(act, processes, 1 << order)),
                }
                processes += usize::from(act == Act::Fork);
                processes -= usize::from(act == Act::Exit);
            }
            let request = self.one(&REQUESTS);
            let step = self.step(request, processes, 1 << order);
            plan.steps.push(step);
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_its_text() {
        for seed in 0..2000 {
            let orders: Vec<_> = ORDERS.into();
            let plan = Draw(fastrand::Rng::with_seed(seed)).plan(&orders, 9);
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
    }
}
