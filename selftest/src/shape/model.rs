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
        }
    }

    /// As after a fork.
    pub fn shared() -> Self {
        Page {
            exclusive: false,
            writable: false,
            soft_dirty: true,
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
        let mut last: Option<Page> = None;
        for page in pages {
            if let Some(page) = page {
                let same_batch = last.is_some_and(|l| {
                    (l.writable, l.soft_dirty) == (page.writable, page.soft_dirty)
                });
                let same_run = same_batch && last.is_some_and(|l| l.exclusive == page.exclusive);
                sum.mappings += 1;
                sum.batches += u64::from(!same_batch);
                sum.runs += u64::from(!same_run);
            }
            last = *page;
        }
    }
    sum
}

/// The ranges of pages for which `is` is true.
pub fn ranges<'a>(
    pages: usize,
    is: &'a dyn Fn(usize) -> bool,
) -> impl Iterator<Item = Range<usize>> + 'a {
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
        assert_eq!(ranges(4, &|_| true).collect::<Vec<_>>(), [0..4]);
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
