// SPDX-License-Identifier: GPL-2.0

//! What has been written to a page, and what it may hold therefore.

use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};

use super::words::{last_write, word};

/// What has been written to a page: its owner says so, and all can read it.
#[repr(C)]
pub struct Written {
    writes: AtomicU64,
    void: AtomicU64,
    freed: AtomicU64,
}

impl Written {
    /// How many writes have been made.
    pub fn writes(&self) -> u64 {
        self.writes.load(Acquire)
    }

    /// How many of them are void, for the page was given back since: zeroes took their place.
    pub fn void(&self) -> u64 {
        self.void.load(Acquire)
    }

    /// How many of them may be void or not, for the page was freed lazily, and nobody knows yet what
    /// became of it; 0 if that is not so.
    pub fn freed(&self) -> u64 {
        self.freed.load(Acquire)
    }

    /// All of it. Only the owner, or who has taken the page away, sees one moment.
    pub fn known(&self) -> Known {
        // In this order: it is settled that they are void before it is said that it is settled.
        let freed = self.freed();
        Known {
            writes: self.writes(),
            void: self.void(),
            freed,
        }
    }

    /// Notes a write that has been made.
    pub fn made(&self, write: u64) {
        self.writes.store(write, Release);
    }

    /// Notes that the page was given back.
    pub fn given_back(&self) {
        self.void.store(self.writes(), Release);
        self.freed.store(0, Release);
    }

    /// Notes that the kernel may drop the page from now on, until the next write.
    pub fn may_go(&self) {
        let writes = self.writes();
        if writes > self.void() {
            self.freed.store(writes, Release);
        }
    }

    /// Notes what became of a page that was freed lazily.
    pub fn settle(&self, dropped: bool) {
        if dropped {
            self.void.store(self.freed(), Release);
        }
        self.freed.store(0, Release);
    }
}

/// What is known of a page.
#[derive(Clone, Copy, Default)]
pub struct Known {
    /// How many writes there were.
    pub writes: u64,
    /// How many of them are void.
    pub void: u64,
    /// How many of them are void if the page was dropped; 0 if it cannot be.
    pub freed: u64,
}

impl Known {
    /// The same page when it was dropped.
    pub fn dropped(self) -> Self {
        Known {
            void: self.void.max(self.freed),
            freed: 0,
            ..self
        }
    }

    /// Whether it can still be dropped: nobody has written to it since it was freed.
    pub fn may_go(self) -> bool {
        self.freed != 0 && self.freed == self.writes
    }

    /// What word `k` of `words` must be, unless the page was dropped.
    pub fn expected(self, (k, words): (usize, usize), tag: u64) -> u64 {
        match last_write(self.writes, k, words) {
            write if write > self.void => word(write, tag),
            _ => 0,
        }
    }

    /// Compares all words of a page, and says whether it was dropped. Once it is, nothing of what
    /// it held comes back. Fails with the first word that does not fit, what it is and should be.
    pub fn compare(
        self,
        all: impl Iterator<Item = u64>,
        words: usize,
        tag: u64,
    ) -> Result<bool, (usize, u64, u64)> {
        let mut dropped = None;
        for (k, found) in all.enumerate() {
            let kept = self.expected((k, words), tag);
            let zero = self.dropped().expected((k, words), tag);
            let fits = match dropped {
                _ if kept == zero => found == kept,
                None => {
                    dropped = Some(found != kept);
                    found == kept || found == zero
                }
                Some(false) if found == zero && self.may_go() => {
                    dropped = Some(true);
                    true
                }
                Some(false) => found == kept,
                Some(true) => found == zero,
            };
            if !fits {
                return Err((k, found, if dropped == Some(true) { zero } else { kept }));
            }
        }
        Ok(dropped == Some(true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: usize = 8;
    const TAG: u64 = 3;

    fn page(known: Known) -> Vec<u64> {
        (0..WORDS)
            .map(|k| known.expected((k, WORDS), TAG))
            .collect()
    }

    fn compare(known: Known, page: &[u64]) -> Option<bool> {
        known.compare(page.iter().copied(), WORDS, TAG).ok()
    }

    #[test]
    fn a_page_that_is_not_free_is_not_dropped() {
        let known = Known {
            writes: 20,
            void: 5,
            freed: 0,
        };
        assert_eq!(compare(known, &page(known)), Some(false));
        assert_eq!(compare(known, &[0; WORDS]), None);
    }

    #[test]
    fn a_free_page_is_kept_or_dropped_for_good() {
        let known = Known {
            writes: 20,
            void: 0,
            freed: 20,
        };
        let kept = page(known);
        assert_eq!(compare(known, &kept), Some(false));
        assert_eq!(compare(known, &[0; WORDS]), Some(true));
        // In the middle of looking at it.
        let mut late = kept.clone();
        late[3..].fill(0);
        assert_eq!(compare(known, &late), Some(true));
        let mut back = kept;
        back[..3].fill(0);
        assert_eq!(compare(known, &back), None);
    }

    #[test]
    fn a_write_redeems_a_free_page_or_comes_after_its_end() {
        let known = Known {
            writes: 21,
            void: 0,
            freed: 20,
        };
        let kept = page(known);
        assert_eq!(compare(known, &kept), Some(false));
        let dropped = page(known.dropped());
        assert_eq!(dropped.iter().filter(|word| **word != 0).count(), 1);
        assert_eq!(compare(known, &dropped), Some(true));
        assert_eq!(compare(known, &[0; WORDS]), None);
        // Too late.
        let mut late = kept;
        late[7] = 0;
        assert_eq!(compare(known, &late), None);
    }
}
