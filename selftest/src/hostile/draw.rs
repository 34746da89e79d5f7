// SPDX-License-Identifier: GPL-2.0

//! The text of requests: right ones, and ones that are wrong in all kinds of places.

use fastrand::Rng;

use super::grammar::LONGEST;
use super::world::World;
use crate::trigger::Request;

/// Words that mean nothing, or not what they seem to.
const ODD_WORDS: [&str; 40] = [
    "",
    "-1",
    "+1",
    "0",
    "00",
    "0x",
    "0X",
    "0x0",
    "x",
    "1.0",
    "1e3",
    "1_000",
    "0b1",
    "0o7",
    "64k",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "4294967297",
    "18446744073709551615",
    "18446744073709551616",
    "18446744073709551617",
    "0xffffffffffffffff",
    "0x10000000000000000",
    "0x10000000000001000",
    "340282366920938463463374607431768211456",
    "path=",
    "path",
    "=kernel",
    "Path=kernel",
    "path=kernel=",
    "path=batched,kernel",
    "path=foo",
    "reclaim=2",
    "reclaim=01",
    "reclaim=",
    "live=1",
    "\u{0661}",
    "=",
];
/// Bytes that one might treat specially.
const ODD_BYTES: &[u8] = b"\0\n\r\t \x0b\x0c\xa0\x7f\xff-+=xX0123456789abcdefg";

/// The bytes of one request.
pub fn text(world: &World, rng: &mut Rng) -> Vec<u8> {
    let request = world.aim(rng);
    match rng.u32(..10) {
        0 | 1 => right(&request, rng),
        2..6 => wrong_words(&request, rng),
        6..9 => wrong_bytes(right(&request, rng), rng),
        _ => (0..rng.usize(..64)).map(|_| some_byte(rng)).collect(),
    }
}

/// One of the ways to write a request.
pub fn right(request: &Request, rng: &mut Rng) -> Vec<u8> {
    let blank = *rng.choice(&[" ", " ", " ", "\t", "  \t"]).expect("some");
    let mut text = words(request, rng).join(blank);
    match rng.u32(..16) {
        0 => text = format!("{blank}{text}{blank}"),
        1 => {
            let more = rng.usize(..LONGEST).max(text.len()) - text.len();
            text.push_str(&" ".repeat(more));
        }
        _ => {}
    }
    if rng.bool() {
        text.push('\n');
    }
    text.into_bytes()
}

fn words(request: &Request, rng: &mut Rng) -> Vec<String> {
    let mut words = vec![request.pid.to_string(), number(request.address, rng)];
    words.extend(request.len.map(|len| number(len, rng)));
    let mut options = vec![
        format!("path={}", request.path),
        format!("reclaim={}", u8::from(request.reclaim)),
    ];
    rng.shuffle(&mut options);
    options.truncate(rng.usize(..3));
    words.extend(options);
    words
}

fn number(value: u64, rng: &mut Rng) -> String {
    let zeros = "0".repeat(rng.usize(..24).saturating_sub(18));
    match rng.u32(..6) {
        0 => format!("{zeros}{value}"),
        1 => format!("0X{zeros}{value:X}"),
        _ => format!("0x{zeros}{value:x}"),
    }
}

/// Words missing, odd, twice or in another order.
fn wrong_words(request: &Request, rng: &mut Rng) -> Vec<u8> {
    let mut words = words(request, rng);
    for _ in 0..rng.usize(1..3) {
        let at = rng.usize(..words.len().max(1)).min(words.len());
        match rng.u32(..6) {
            0 if !words.is_empty() => drop(words.remove(at)),
            1 if !words.is_empty() => words.insert(at, words[at].clone()),
            2 => rng.shuffle(&mut words),
            3 if !words.is_empty() => words[at] = (*rng.choice(&ODD_WORDS).expect("some")).into(),
            // What is written in a radix, read in another.
            4 if !words.is_empty() => words[at] = words[at].replace("0x", ""),
            _ => words.insert(at, (*rng.choice(&ODD_WORDS).expect("some")).into()),
        }
    }
    words.join(" ").into_bytes()
}

/// A byte changed, added or missing, or the end cut off, or padded beyond what can be a request.
fn wrong_bytes(mut text: Vec<u8>, rng: &mut Rng) -> Vec<u8> {
    let at = rng.usize(..text.len());
    match rng.u32(..8) {
        0 | 1 => text[at] = some_byte(rng),
        2 | 3 => text.insert(at, some_byte(rng)),
        4 => drop(text.remove(at)),
        5 => text.truncate(at),
        6 => text.push(some_byte(rng)),
        // Around the longest, with what is harmless otherwise.
        _ => text.resize(LONGEST - 2 + rng.usize(..5), b' '),
    }
    text
}

fn some_byte(rng: &mut Rng) -> u8 {
    match rng.u32(..4) {
        0 => rng.u8(..),
        _ => *rng.choice(ODD_BYTES).expect("some"),
    }
}
