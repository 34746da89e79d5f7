// SPDX-License-Identifier: GPL-2.0

//! Which part of the grid is measured, and how often.

use super::case::Case;
use crate::trigger::Path;

/// The sizes of folios, in KiB.
const SIZES: [usize; 9] = [4, 16, 32, 64, 128, 256, 512, 1024, 2048];

/// A part of the grid.
pub struct Choice {
    /// One `try_to_unmap()`.
    pub inside: bool,
    /// One `madvise(MADV_PAGEOUT)`.
    pub outside: bool,
    /// How much memory one `madvise(MADV_PAGEOUT)` gets, in MiB: whole folios of the largest size.
    pub mib: u64,
    /// Measurements of each cell, after one that does not count.
    pub repeats: usize,
    /// The sizes of folios, in KiB.
    pub sizes: Vec<usize>,
    /// How the folios are mapped.
    pub cases: Vec<Case>,
    /// Who unmaps.
    pub paths: Vec<Path>,
}

impl Choice {
    /// Reads the words of a command line; the error is the word that says nothing.
    pub fn parse(words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut choice = Choice {
            inside: false,
            outside: false,
            mib: 8,
            repeats: 5,
            sizes: SIZES.into(),
            cases: Case::ALL.into(),
            paths: Path::BOTH.into(),
        };
        for word in words {
            choice.take(&word).ok_or(word)?;
        }
        if !choice.inside && !choice.outside {
            (choice.inside, choice.outside) = (true, true);
        }
        Ok(choice)
    }

    fn take(&mut self, word: &str) -> Option<()> {
        match word.split_once('=') {
            None if word == "inside" => self.inside = true,
            None if word == "outside" => self.outside = true,
            Some(("mib", n)) => self.mib = n.parse().ok().filter(|n| *n > 0 && n % 2 == 0)?,
            Some(("repeats", n)) => self.repeats = n.parse().ok().filter(|n| *n > 0)?,
            Some(("sizes", list)) => self.sizes = parts(list, |s| s.parse().ok())?,
            Some(("cases", list)) => self.cases = parts(list, Case::named)?,
            Some(("paths", list)) => self.paths = parts(list, path_named)?,
            _ => return None,
        }
        Some(())
    }
}

/// What all words of a list mean; an empty list, or a word without a meaning, is nothing.
fn parts<T>(list: &str, meaning: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
    let words = list.split([',', ' ']).filter(|w| !w.is_empty());
    words
        .map(meaning)
        .collect::<Option<Vec<T>>>()
        .filter(|all| !all.is_empty())
}

fn path_named(name: &str) -> Option<Path> {
    Path::BOTH.into_iter().find(|p| p.to_string() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Choice, String> {
        Choice::parse(words.iter().map(|w| w.to_string()))
    }

    #[test]
    fn words_choose() {
        let choice = parse(&["inside", "sizes=4,64", "cases=half", "paths=kernel"]).unwrap();
        assert!(choice.inside && !choice.outside);
        assert_eq!(choice.sizes, [4, 64]);
        assert_eq!(choice.cases, [Case::Half]);
        assert_eq!(choice.paths, [Path::Kernel]);
    }

    #[test]
    fn odd_words_are_refused() {
        for word in [
            "insde",
            "sizes=",
            "sizes=big",
            "cases=whole",
            "repeats=0",
            "mib=3",
        ] {
            assert_eq!(parse(&[word]).err().as_deref(), Some(word));
        }
    }
}
