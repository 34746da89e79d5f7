// SPDX-License-Identifier: GPL-2.0

//! The text of a request.
//!
//! Plain computation that needs nothing of a kernel.

/// Which code unmaps the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    /// This module's.
    Batched,
    /// The kernel's own `try_to_unmap()`.
    Kernel,
}

/// `PID ADDR [LEN] [path=batched|kernel] [reclaim=0|1]`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// The process, as the writer's pid namespace knows it.
    pub(crate) pid: i32,
    /// Any address inside the folio, or the first of a range.
    pub(crate) address: usize,
    /// The length of the range, in bytes; zero for the one folio at `address`.
    pub(crate) length: usize,
    /// Which code unmaps it.
    pub(crate) path: Path,
    /// Whether it is written to the swap device and freed afterwards.
    pub(crate) reclaim: bool,
}

/// More bytes than any request needs.
pub(crate) const MAX_REQUEST: usize = 255;

impl Request {
    /// Reads a request, which may end with one newline.
    ///
    /// Returns [`None`] if it is not exactly of the form above.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let mut words = text
            .split(|&byte| byte == b' ' || byte == b'\t')
            .filter(|word| !word.is_empty())
            .peekable();

        let pid = i32::try_from(parse_decimal(words.next()?)?).ok()?;
        let address = parse_number(words.next()?)?;
        let length = match words.next_if(|word| !word.contains(&b'=')) {
            Some(word) => parse_number(word).filter(|&length| length > 0)?,
            None => 0,
        };
        let (mut path, mut reclaim) = (None, None);
        for word in words {
            let at = word.iter().position(|&byte| byte == b'=')?;
            let repeated = match &word[..at] {
                b"path" => path.replace(parse_path(&word[at + 1..])?).is_some(),
                b"reclaim" => reclaim.replace(parse_bool(&word[at + 1..])?).is_some(),
                _ => return None,
            };
            if repeated {
                return None;
            }
        }

        address.checked_add(length)?;
        (pid > 0).then_some(Self {
            pid,
            address,
            length,
            path: path.unwrap_or(Path::Batched),
            reclaim: reclaim.unwrap_or(false),
        })
    }
}

fn parse_path(word: &[u8]) -> Option<Path> {
    match word {
        b"batched" => Some(Path::Batched),
        b"kernel" => Some(Path::Kernel),
        _ => None,
    }
}

fn parse_bool(word: &[u8]) -> Option<bool> {
    match word {
        b"0" => Some(false),
        b"1" => Some(true),
        _ => None,
    }
}

/// Reads a decimal number, or a hexadecimal one after `0x`.
fn parse_number(word: &[u8]) -> Option<usize> {
    match word.strip_prefix(b"0x").or(word.strip_prefix(b"0X")) {
        Some(digits) => parse_digits(digits, 16),
        None => parse_decimal(word),
    }
}

fn parse_decimal(word: &[u8]) -> Option<usize> {
    parse_digits(word, 10)
}

fn parse_digits(digits: &[u8], radix: u32) -> Option<usize> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0usize, |number, &digit| {
        let digit = char::from(digit).to_digit(radix)?;
        number
            .checked_mul(radix as usize)?
            .checked_add(digit as usize)
    })
}
