// SPDX-License-Identifier: GPL-2.0

//! The file `live`, and live mode being switched while all else goes on.

use std::fs::File;

use super::files::expect;
use super::open::{Open, Wrong};
use super::worker::Worker;
use crate::live::{self, LIVE};
use crate::verdict::{Checks, Stop};

/// Writes something to `live`, and reads what it says. Only where live mode is switched all the time
/// is that ever a value it takes.
pub fn write(w: &mut Worker) -> Result<i32, Wrong> {
    let file = File::options().read(true).write(true).open(LIVE);
    let open = Open::new(file.map_err(|e| format!("open {LIVE}: {e}"))?);
    let text = draw(w);
    let want = match is_value(&text) {
        true => Ok(text.len()),
        false => Err(libc::EINVAL),
    };
    expect("write to live", open.write(&text), want)?;
    if want.is_ok() {
        w.tally.switched.add(1);
    }
    let state = open.read(8, 0);
    let ok = match w.live {
        Some(on) => state == Ok(if on { b"1\n" } else { b"0\n" }.to_vec()),
        None => matches!(state.as_deref(), Ok(b"0\n" | b"1\n")),
    };
    match ok {
        true => Ok(want.err().unwrap_or(0)),
        false => Err(format!("live says {state:?}")),
    }
}

fn draw(w: &mut Worker) -> Vec<u8> {
    let mut text = Vec::new();
    if w.live.is_none() && w.rng.u32(..16) == 0 {
        text.push(*w.rng.choice(b"01").expect("some"));
        text.extend(w.rng.bool().then_some(b'\n'));
        return text;
    }
    for _ in 0..w.rng.usize(..6) {
        text.push(*w.rng.choice(b"0123\n\0 -+xyYnN\xff").expect("some"));
    }
    if w.live.is_some() && is_value(&text) {
        text.insert(0, b' ');
    }
    if w.rng.u32(..8) == 0 {
        text.resize(1 << w.rng.u32(3..17), b'0');
    }
    text
}

fn is_value(text: &[u8]) -> bool {
    matches!(text, [b'0' | b'1'] | [b'0' | b'1', b'\n'])
}

/// Switches live mode, while others may do so, too.
pub fn set(on: bool) -> Result<(), Stop> {
    match live::write(if on { b"1\n" } else { b"0\n" })? {
        0 => Ok(()),
        errno => Err(Stop::Fail(format!("live={on} fails: errno {errno}"))),
    }
}

/// Checks, when nobody switches it any more, that live mode is as it was left, and that it is still
/// what the switch says.
pub fn check_end(checks: &mut Checks, fixed: Option<bool>) -> Result<(), Stop> {
    let mut states = vec![true, false];
    if let Some(on) = fixed {
        let text = if on { "1\n" } else { "0\n" };
        checks.eq("live in the end", live::read()?.as_str(), text);
        states = vec![on];
    }
    for on in states {
        if fixed.is_none() {
            live::set(on)?;
        }
        checks.eq(
            &format!("redirected, with live={on}"),
            live::redirected()?,
            on,
        );
    }
    Ok(())
}
