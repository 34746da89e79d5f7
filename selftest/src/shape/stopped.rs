// SPDX-License-Identifier: GPL-2.0

//! What unmapping a folio leaves when something fails on the way.

use std::ops::Range;

use super::model::{self, Expected, Pages};

/// What fails, once. Calls are counted over all processes, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// To take the exclusivity from a run of pages.
    Share(u64),
    /// To count one more reference to the slot of a page, page by page.
    SwapDup(u64),
    /// To do that for a whole batch at once: it is done page by page then.
    SwapCount(u64),
    /// To see in a folio whose entries were cleared what has to become of them.
    Batch(u64),
    /// To find the next entry in a VMA.
    Walk(u64),
}

/// A VMA of a process that maps these pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The number of the process.
    pub process: usize,
    /// What is mapped there, without a hole.
    pub pages: Range<usize>,
}

/// What must be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// Whether each process has lost each page.
    pub lost: Vec<Vec<bool>>,
    /// What was taken.
    pub taken: Expected,
    /// Entries that were put back.
    pub restored: u64,
    /// Whether it came to the call that fails.
    pub reached: bool,
}

/// The VMAs in the order in which they are visited: by their first page, and equal ones in the
/// order of the processes, or the other way round.
pub fn visits(processes: &[Pages], reversed: bool) -> Vec<Visit> {
    let mut all = Vec::new();
    for (process, pages) in processes.iter().enumerate() {
        let mapped = |i: usize| pages[i].is_some();
        all.extend(model::ranges(pages.len(), &mapped).map(|pages| Visit { process, pages }));
    }
    if reversed {
        all.reverse();
    }
    all.sort_by_key(|visit| visit.pages.start);
    all
}

/// Unmaps a folio, VMA by VMA; `by_pmd` says that an entry of the level above is split first.
pub fn stopped(processes: &[Pages], visits: &[Visit], by_pmd: bool, at: At) -> Stopped {
    unmap(processes, visits, (by_pmd, false), at).seen
}

/// As [`stopped()`], if not only that call fails, but all of its kind from it on.
pub fn stopped_from(processes: &[Pages], visits: &[Visit], at: At) -> Stopped {
    unmap(processes, visits, (false, true), at).seen
}

/// How many calls of a kind unmapping all of a folio makes, if none fails.
pub fn calls(processes: &[Pages], by_pmd: bool, kind: fn(u64) -> At) -> u64 {
    let visits = visits(processes, false);
    let unmapped = unmap(processes, &visits, (by_pmd, false), kind(u64::MAX));
    u64::MAX - unmapped.passes
}

fn unmap(
    processes: &[Pages],
    visits: &[Visit],
    (by_pmd, forever): (bool, bool),
    at: At,
) -> Unmapping {
    let mut unmapping = Unmapping {
        at,
        forever,
        passes: match at {
            At::Share(n) | At::SwapDup(n) | At::SwapCount(n) | At::Batch(n) | At::Walk(n) => n,
        },
        seen: Stopped {
            lost: processes.iter().map(|p| vec![false; p.len()]).collect(),
            ..Stopped::default()
        },
    };
    for visit in visits {
        let pages = &processes[visit.process];
        if by_pmd && unmapping.fails(At::Walk(0), 1) {
            continue;
        }
        if !unmapping.visit(pages, visit) {
            break;
        }
    }
    unmapping
}

struct Unmapping {
    at: At,
    /// Whether all further calls fail, too.
    forever: bool,
    /// Calls that still pass.
    passes: u64,
    seen: Stopped,
}

impl Unmapping {
    /// Makes `calls` calls of a kind; true if one of them fails.
    fn fails(&mut self, kind: At, calls: u64) -> bool {
        let meant = std::mem::discriminant(&kind) == std::mem::discriminant(&self.at);
        if !meant || self.seen.reached {
            return meant && self.forever;
        }
        self.seen.reached = self.passes < calls;
        self.passes = self.passes.saturating_sub(calls);
        self.seen.reached
    }

    /// Unmaps what one VMA maps; false if no further VMA is visited.
    fn visit(&mut self, pages: &Pages, visit: &Visit) -> bool {
        let here = |batch: &Range<usize>| visit.pages.contains(&batch.start);
        for batch in model::batches(pages).filter(here) {
            if self.fails(At::Walk(0), 1) {
                return true;
            }
            self.seen.taken.batches += 1;
            if self.fails(At::Batch(0), 1) {
                self.seen.restored += batch.len() as u64;
                return false;
            }
            // Who cannot do it for the whole batch does it page by page.
            self.fails(At::SwapCount(0), batch.len() as u64);
            for run in model::runs(pages, &batch) {
                let exclusive = pages[run.start].is_some_and(|p| p.exclusive);
                if self.fails(At::SwapDup(0), run.len() as u64)
                    || self.fails(At::Share(0), exclusive.into())
                {
                    self.seen.restored += (batch.end - run.start) as u64;
                    return false;
                }
                self.seen.taken.runs += 1;
                self.seen.taken.mappings += run.len() as u64;
                self.seen.lost[visit.process][run].fill(true);
            }
            if batch.len() == pages.len() {
                // There can be no other entry.
                return true;
            }
        }
        self.fails(At::Walk(0), 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::Page;
    use super::*;

    fn alternating() -> Vec<Pages> {
        let read_only = Page {
            writable: false,
            ..Page::exclusive()
        };
        let (own, shared) = (Some(read_only), Some(Page::shared()));
        vec![
            vec![own, shared, own, shared],
            vec![None, shared, None, shared],
        ]
    }

    #[test]
    fn each_vma_is_visited_at_its_first_page() {
        let order = visits(&alternating(), false);
        let starts: Vec<_> = order.iter().map(|v| (v.process, v.pages.start)).collect();
        assert_eq!(starts, [(0, 0), (1, 1), (1, 3)]);
    }

    #[test]
    fn the_second_exclusive_run_fails() {
        let all = alternating();
        let seen = stopped(&all, &visits(&all, false), false, At::Share(1));
        assert_eq!(seen.lost[0], [true, true, false, false]);
        assert_eq!(seen.lost[1], [false; 4]);
        assert_eq!((seen.taken.batches, seen.taken.runs), (1, 2));
        assert_eq!(seen.restored, 2);
    }

    #[test]
    fn a_walk_that_finds_nothing_leaves_one_vma() {
        let all = alternating();
        let seen = stopped(&all, &visits(&all, false), false, At::Walk(0));
        assert_eq!(seen.lost[0], [false; 4]);
        assert_eq!(seen.lost[1], [false, true, false, true]);
        assert_eq!(seen.restored, 0);
    }

    #[test]
    fn walks_that_find_nothing_from_one_on_leave_the_rest() {
        let all = alternating();
        let seen = stopped_from(&all, &visits(&all, false), At::Walk(2));
        assert_eq!(seen.lost[0], [true; 4]);
        assert_eq!(seen.lost[1], [false, true, false, false]);
        let all = alternating();
        let seen = stopped_from(&all, &visits(&all, false), At::SwapCount(0));
        assert_eq!(seen.taken.mappings, 6);
    }

    #[test]
    fn a_batch_that_fails_is_put_back() {
        let all = alternating();
        let seen = stopped(&all, &visits(&all, false), false, At::Batch(1));
        assert_eq!(seen.lost[0], [true; 4]);
        assert_eq!(seen.lost[1], [false; 4]);
        assert_eq!((seen.taken.batches, seen.taken.runs), (2, 4));
        assert_eq!(seen.restored, 1);
    }

    #[test]
    fn calls_are_counted_in_all_processes() {
        let all = alternating();
        assert_eq!(calls(&all, false, At::Share), 2);
        assert_eq!(calls(&all, false, At::SwapDup), 6);
        assert_eq!(calls(&all, false, At::SwapCount), 6);
        assert_eq!(calls(&all, false, At::Batch), 3);
        // The parent's one batch has all pages; behind each of the child's there is a look for more.
        assert_eq!(calls(&all, false, At::Walk), 5);
        let shared = vec![vec![Some(Page::shared()); 4]; 3];
        assert_eq!(calls(&shared, false, At::Share), 0);
        assert_eq!(calls(&shared, true, At::Walk), 6);
    }

    #[test]
    fn what_is_not_reached_does_not_fail() {
        let all = alternating();
        let seen = stopped(&all, &visits(&all, false), false, At::SwapDup(6));
        assert!(!seen.reached);
        assert_eq!(seen.taken.mappings, 6);
    }
}
