// SPDX-License-Identifier: GPL-2.0

//! What is a request, against a grammar of its own.

use crate::{
    control::request::{Path, Request, MAX_REQUEST},
    property::holds,
};
use proptest::prelude::*;

/// A word as it may be written, and whether it means something.
fn number(text: &str) -> Option<u128> {
    let (digits, radix) = match text.get(..2) {
        Some("0x" | "0X") => (&text[2..], 16),
        _ => (text, 10),
    };
    let valid = !digits.is_empty() && digits.chars().all(|digit| digit.is_digit(radix));
    let digits = match digits.trim_start_matches('0') {
        "" => "0",
        digits => digits,
    };
    // 38 digits fit; who writes more has written too large a number.
    (valid && digits.len() < 30).then(|| u128::from_str_radix(digits, radix).unwrap())
}

/// The grammar: `PID ADDR [LEN] [path=batched|kernel] [reclaim=0|1]`, options in any order.
fn grammar(text: &[u8]) -> Option<Request> {
    let text = std::str::from_utf8(text).ok()?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let words: Vec<_> = text
        .split([' ', '\t'])
        .filter(|word| !word.is_empty())
        .collect();
    let is_option = |word: &&&str| word.contains('=');
    let numbers = words.iter().take_while(|word| !is_option(word)).count();
    let (numbers, options) = words.split_at(numbers);
    let given = |name: &str| -> Vec<&str> {
        options
            .iter()
            .filter_map(|word| word.strip_prefix(name))
            .collect()
    };
    let (path, reclaim) = (given("path="), given("reclaim="));
    let all_known = path.len() + reclaim.len() == options.len();
    if !all_known || !(2..=3).contains(&numbers.len()) || numbers[0].contains(['x', 'X']) {
        return None;
    }
    let pid = i32::try_from(number(numbers[0])?)
        .ok()
        .filter(|&pid| pid != 0)?;
    let address = usize::try_from(number(numbers[1])?).ok()?;
    let length = match numbers.get(2) {
        Some(text) => usize::try_from(number(text)?)
            .ok()
            .filter(|&length| length != 0)?,
        None => 0,
    };
    let path = match path[..] {
        [] | ["batched"] => Path::Batched,
        ["kernel"] => Path::Kernel,
        _ => return None,
    };
    let reclaim = match reclaim[..] {
        [] | ["0"] => false,
        ["1"] => true,
        _ => return None,
    };
    let fits = address as u128 + length as u128 <= usize::MAX as u128;
    fits.then_some(Request {
        pid,
        address,
        length,
        path,
        reclaim,
    })
}

fn number_text() -> impl Strategy<Value = (usize, String)> {
    let value = prop_oneof![
        2 => 1..100usize,
        2 => (0..52u32).prop_map(|shift| 4096usize << shift),
        2 => any::<usize>(),
        1 => (0..3usize).prop_map(|less| usize::MAX - less),
        1 => Just(0usize),
    ];
    (value, 0..5u32, 0..3usize).prop_map(|(value, form, zeros)| {
        let zeros = "0".repeat(zeros);
        let text = match form {
            0 => format!("0x{zeros}{value:x}"),
            1 => format!("0X{zeros}{value:X}"),
            _ => format!("{zeros}{value}"),
        };
        (value, text)
    })
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => Just(" "), 1 => Just("\t"), 1 => Just(" \t  ")]
}

/// A request and one of the ways to write it.
fn valid() -> impl Strategy<Value = (Request, String)> {
    let options = (
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    );
    (
        1..=i32::MAX,
        number_text(),
        prop::option::of(number_text()),
        options,
        (blank(), any::<bool>(), any::<bool>()),
    )
        .prop_filter("the end is an address", |(_, (address, _), length, ..)| {
            length
                .as_ref()
                .is_none_or(|(length, _)| *length > 0 && address.checked_add(*length).is_some())
        })
        .prop_map(
            |(pid, address, length, options, (blank, around, newline))| {
                let (kernel, path, reclaim, say_reclaim, swap) = options;
                let mut words = vec![pid.to_string(), address.1];
                words.extend(length.iter().map(|(_, text)| text.clone()));
                let mut given = vec![];
                if kernel || path {
                    given.push(format!(
                        "path={}",
                        if kernel { "kernel" } else { "batched" }
                    ));
                }
                if reclaim || say_reclaim {
                    given.push(format!("reclaim={}", u8::from(reclaim)));
                }
                if swap {
                    given.reverse();
                }
                words.extend(given);
                let mut text = words.join(blank);
                if around {
                    text = format!("{blank}{text}{blank}");
                }
                if newline {
                    text.push('\n');
                }
                let request = Request {
                    pid,
                    address: address.0,
                    length: length.map_or(0, |(length, _)| length),
                    path: if kernel { Path::Kernel } else { Path::Batched },
                    reclaim,
                };
                (request, text)
            },
        )
}

/// A piece of what somebody could write, rightly or not.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => number_text().prop_map(|(_, text)| text),
        2 => (1..100u32).prop_map(|number| number.to_string()),
        1 => prop_oneof![
            Just("18446744073709551616"),
            Just("0x10000000000000000"),
            Just("0x100000000000000000000000000000000"),
            Just("2147483648"),
            Just("-1"),
            Just("+1"),
            Just("0x"),
            Just("1_000"),
            Just("12ab"),
            Just("0xfg"),
            Just("\u{0661}"),
        ].prop_map(str::to_owned),
        4 => prop_oneof![
            Just("path=batched"),
            Just("path=kernel"),
            Just("reclaim=0"),
            Just("reclaim=1"),
        ].prop_map(str::to_owned),
        1 => prop_oneof![
            Just("path="),
            Just("path"),
            Just("=kernel"),
            Just("Path=kernel"),
            Just("path=kernel="),
            Just("reclaim=2"),
            Just("reclaim=01"),
            Just("live=1"),
            Just("\n"),
            Just("\0"),
        ].prop_map(str::to_owned),
    ]
}

#[test]
fn every_valid_form_is_read_as_it_was_meant() {
    holds(40_000, valid(), |(request, text)| {
        prop_assert_eq!(Request::parse(text.as_bytes()), Some(request));
        prop_assert_eq!(grammar(text.as_bytes()), Some(request));
        Ok(())
    });
}

#[test]
fn words_in_any_order_are_accepted_only_by_the_grammar() {
    let text = prop::collection::vec((piece(), blank()), 0..7);
    holds(60_000, (text, any::<bool>()), |(words, newline)| {
        let mut text = String::new();
        for (word, blank) in words {
            text.push_str(&word);
            text.push_str(blank);
        }
        if newline {
            text.push('\n');
        }
        prop_assert_eq!(Request::parse(text.as_bytes()), grammar(text.as_bytes()));
        Ok(())
    });
}

#[test]
fn a_valid_form_with_one_byte_changed_is_as_the_grammar_says() {
    holds(
        40_000,
        (valid(), any::<prop::sample::Index>(), any::<u8>(), 0..3u8),
        |input| {
            let ((_, text), place, byte, change) = input;
            let mut text = text.into_bytes();
            let place = place.index(text.len());
            match change {
                0 => text[place] = byte,
                1 => text.insert(place, byte),
                _ => drop(text.remove(place)),
            }
            prop_assert_eq!(Request::parse(&text), grammar(&text), "{:?}", text);
            Ok(())
        },
    );
}

#[test]
fn any_bytes_are_read_or_refused_without_a_panic() {
    let byte = prop_oneof![
        3 => any::<u8>(),
        4 => prop::sample::select(&b"0123456789xX =\t\n"[..]),
    ];
    holds(40_000, prop::collection::vec(byte, 0..40), |text| {
        prop_assert_eq!(Request::parse(&text), grammar(&text));
        Ok(())
    });
}

#[test]
fn the_longest_request_fits_into_what_is_read() {
    let text = format!(
        "{} {:#x} {1:#x} path=batched reclaim=1\n",
        i32::MAX,
        usize::MAX / 2
    );
    assert!(Request::parse(text.as_bytes()).is_some());
    assert!(text.len() <= MAX_REQUEST);
}
