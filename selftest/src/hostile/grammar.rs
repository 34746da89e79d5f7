// SPDX-License-Identifier: GPL-2.0

//! What a request is, read by the letter: `PID ADDR [LEN] [path=batched|kernel] [reclaim=0|1]`.

use crate::trigger::{Path, Request};

/// Longer than this, nothing is a request.
pub const LONGEST: usize = 255;

/// The request that the bytes of one write are, if they are one.
pub fn read(bytes: &[u8]) -> Option<Request> {
    if bytes.len() > LONGEST || !bytes.is_ascii() {
        return None;
    }
    let line = std::str::from_utf8(bytes).ok()?;
    let line = match line.find('\n') {
        Some(at) if at + 1 == line.len() => &line[..at],
        Some(_) => return None,
        None => line,
    };
    let mut words: Vec<&str> = line.split([' ', '\t']).collect();
    words.retain(|word| !word.is_empty());
    let first_option = words.iter().position(|word| word.contains('='));
    let options = words.split_off(first_option.unwrap_or(words.len()));
    let (pid, address, len) = match words[..] {
        [pid, address] => (pid, address, None),
        [pid, address, len] => (pid, address, Some(number(len)?)),
        _ => return None,
    };
    let pid = i32::try_from(decimal(pid)?).ok()?;
    let address = number(address)?;
    if pid == 0 || len == Some(0) || address.checked_add(len.unwrap_or(0)).is_none() {
        return None;
    }
    let mut paths = Vec::new();
    let mut reclaims = Vec::new();
    for option in options {
        match option {
            "path=kernel" => paths.push(Path::Kernel),
            "path=batched" => paths.push(Path::Batched),
            "reclaim=0" => reclaims.push(false),
            "reclaim=1" => reclaims.push(true),
            _ => return None,
        }
    }
    if paths.len() > 1 || reclaims.len() > 1 {
        return None;
    }
    Some(Request {
        pid,
        address,
        len,
        path: paths.pop().unwrap_or(Path::Batched),
        reclaim: reclaims.pop().unwrap_or(false),
    })
}

fn number(word: &str) -> Option<u64> {
    match word.get(..2) {
        Some("0x" | "0X") => value(&word[2..], 16),
        _ => decimal(word),
    }
}

fn decimal(word: &str) -> Option<u64> {
    value(word, 10)
}

/// The standard library takes a sign, too.
fn value(digits: &str, radix: u32) -> Option<u64> {
    match digits.chars().all(|c| c.is_digit(radix)) {
        true => u64::from_str_radix(digits, radix).ok(),
        false => None,
    }
}
