// SPDX-License-Identifier: GPL-2.0

//! What a word of the raced-for memory says: where it belongs, and which write has put it there.
//!
//! The writes to a page are numbered from 1. Write `n` goes to word `n % words`, so that the number
//! of the last write tells all that the page must hold.

/// Bit of a tag: written by a forked child, to its own copy.
pub const BY_CHILD: u64 = 1 << (TAG_BITS - 1);
const TAG_BITS: u32 = 10;
const CHECK_BITS: u32 = 22;

/// The word that write `write` puts into a page with this tag.
pub fn word(write: u64, tag: u64) -> u64 {
    let said = (write << TAG_BITS) | tag;
    let check = said.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - CHECK_BITS);
    (said << CHECK_BITS) | check
}

/// Which write has put a word there; `None` if the word does not belong to such a page, or was
/// never written.
pub fn write_of(found: u64, tag: u64) -> Option<u64> {
    let write = found >> (TAG_BITS + CHECK_BITS);
    (write != 0 && found == word(write, tag)).then_some(write)
}

/// The last of `writes` writes to a page that went to word `k` of `words`; 0 if none did.
pub fn last_write(writes: u64, k: usize, words: usize) -> u64 {
    let (k, words) = (k as u64, words as u64);
    match writes.checked_sub(k) {
        Some(since) => writes - since % words,
        None => 0,
    }
}
