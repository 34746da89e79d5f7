// SPDX-License-Identifier: GPL-2.0

//! What a process maps of a folio, page by page, and what unmapping it must therefore count.

use std::ops::Range;

/// How one page is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// `PageAnonExclusive`: only this process has it.
    pub exclusive: bool,
    /// The entry is writable.
    pub writable: bool,
    /// The entry is soft-dirty.
    pub soft_dirty: bool,
    /// The entry is write-protected by userfaultfd.
    pub uffd_wp: bool,
    /// Pages of one number are in one VMA and one page table, one behind the other.
    pub part: u32,
}

/// What a process maps of a folio; `None` is a hole.
pub type Pages = Vec<Option<Page>>;

impl Page {
    /// As after the first write.
    pub fn exclusive() -> Self {
        Page {
            exclusive: true,
            writable: true,
            soft_dirty: true,
            uffd_wp: false,
            part: 0,
        }
    }

    /// As after a fork.
    pub fn shared() -> Self {
        Page {
            exclusive: false,
            writable: false,
            ..Page::exclusive()
        }
    }
}

/// What unmapping a folio wholly must count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Page table entries.
    pub mappings: u64,
    /// Ranges of entries that follow each other and are equal in what a batch must respect.
    pub batches: u64,
    /// Parts of batches that are equal in exclusivity.
    pub runs: u64,
}

/// Counts what unmapping must count, for all processes together.
pub fn expected(processes: &[Pages]) -> Expected {
    let mut sum = Expected::default();
    for pages in processes {
        for batch in batches(pages) {
            sum.batches += 1;
            sum.runs += runs(pages, &batch).count() as u64;
            sum.mappings += batch.len() as u64;
        }
    }
    sum
}

/// What a process keeps of a folio of which some page is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The page from which on nothing is unmapped: the first exclusive one.
    pub from: usize,
    /// What was taken before: the batch that fails is counted, its failing run is not.
    pub taken: Expected,
    /// Entries that were cleared and must be put back.
    pub restored: u64,
}

/// What must be seen in a process that maps exclusive pages of a folio that is pinned, on whatever
/// page; `None` if it maps none, and all of it can be unmapped.
pub fn refused(pages: &Pages) -> Option<Refused> {
    let from = pages.iter().position(|p| p.is_some_and(|p| p.exclusive))?;
    let mut taken = Expected::default();
    for batch in batches(pages) {
        taken.batches += 1;
        for run in runs(pages, &batch) {
            if run.start == from {
                return Some(Refused {
                    from,
                    taken,
                    restored: (batch.end - from) as u64,
                });
            }
            taken.runs += 1;
            taken.mappings += run.len() as u64;
        }
    }
    None
}

/// The ranges of pages that are mapped, and equal in what a batch must respect.
pub(super) fn batches(pages: &Pages) -> impl Iterator<Item = Range<usize>> + '_ {
    let key = |i: usize| pages[i].map(|p| (p.part, p.writable, p.soft_dirty, p.uffd_wp));
    split(0..pages.len(), key).filter(|r| pages[r.start].is_some())
}

/// The parts of a batch that are equal in exclusivity.
pub(super) fn runs<'a>(
    pages: &'a Pages,
    batch: &Range<usize>,
) -> impl Iterator<Item = Range<usize>> + 'a {
    split(batch.clone(), |i| pages[i].map(|p| p.exclusive))
}

/// Splits a range where `key` changes.
fn split<K: PartialEq>(
    range: Range<usize>,
    key: impl Fn(usize) -> K,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let start = (at < range.end).then_some(at)?;
        let first = key(start);
        at = (start..range.end)
            .find(|i| key(*i) != first)
            .unwrap_or(range.end);
        Some(start..at)
    })
}

/// The ranges of pages for which `is` is true.
pub fn ranges(pages: usize, is: &dyn Fn(usize) -> bool) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = (at..pages).find(|i| is(*i))?;
        at = (start..pages).find(|i| !is(*i)).unwrap_or(pages);
        Some(start..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_a_mask() {
        let odd = |i: usize| i % 2 == 1;
        assert_eq!(ranges(4, &odd).collect::<Vec<_>>(), [1..2, 3..4]);
        assert_eq!(
            ranges(4, &|_| true).map(|r| r.len()).collect::<Vec<_>>(),
            [4]
        );
        assert_eq!(ranges(4, &|_| false).count(), 0);
    }

    #[test]
    fn one_batch_with_two_runs() {
        let read_only = Page {
            writable: false,
            ..Page::exclusive()
        };
        let parent = vec![Some(Page::shared()), Some(read_only)];
        let child = vec![Some(Page::shared()), None];
        let want = Expected {
            mappings: 3,
            batches: 2,
            runs: 3,
        };
        assert_eq!(expected(&[parent, child]), want);
    }

    #[test]
    fn a_pin_stops_at_the_first_exclusive_page() {
        let read_only = Page {
            writable: false,
            ..Page::exclusive()
        };
        let shared = Some(Page::shared());
        let pages = vec![shared, shared, Some(read_only), shared];
        let Some(refused) = refused(&pages) else {
            panic!("an exclusive page must be refused")
        };
        assert_eq!((refused.from, refused.restored), (2, 2));
        assert_eq!((refused.taken.batches, refused.taken.runs), (1, 1));
        assert_eq!(refused.taken.mappings, 2);
    }

    #[test]
    fn a_write_bit_or_a_hole_ends_a_batch() {
        let pages = vec![
            Some(Page::shared()),
            Some(Page::exclusive()),
            None,
            Some(Page::exclusive()),
        ];
        assert_eq!(expected(&[pages]).batches, 3);
    }
}
