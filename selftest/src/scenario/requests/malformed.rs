// SPDX-License-Identifier: GPL-2.0

//! What is no request: refused, and nothing is touched.

use super::{one_folio, request_for};
use crate::runner::Test;
use crate::scenario::untouched;
use crate::shape::Shape;
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Report, Request, Trigger};
use crate::verdict::{Checks, Stop};

/// All of them.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (name, form) in MALFORMED {
        let body = move |checks: &mut Checks| refused(checks, form);
        tests.push(Test::new(format!("requests: EINVAL: {name}"), body));
    }
    for len in [4 << 10, 64 << 10, 1 << 20] {
        for filler in [b' ', b'x', 0] {
            let name = format!("requests: EINVAL: {len} bytes, filled with {filler:#x}");
            tests.push(Test::new(name, move |checks| {
                refused_bytes(checks, &|request| {
                    let mut bytes = format!("{request} ").into_bytes();
                    bytes.resize(len, filler);
                    bytes
                })
            }));
        }
    }
    tests
}

/// Forms with `P` for the pid and `A` for the address of a folio that could be unmapped: who reads
/// them too kindly unmaps it.
const MALFORMED: [(&str, &[u8]); 49] = [
    ("a newline", b"\n"),
    ("spaces", b"   "),
    ("no address", b"P"),
    ("no address, a newline", b"P\n"),
    ("no pid", b"A"),
    ("negative pid", b"-P A"),
    ("pid with a plus", b"+P A"),
    ("hexadecimal pid", b"0x1 A"),
    ("pid out of range", b"99999999999999999999 A"),
    ("pid with letters", b"Px A"),
    ("negative address", b"P -4096"),
    ("address with a plus", b"P +A"),
    ("address out of range", b"P 0x1ffffffffffffffff"),
    ("address of 0x", b"P 0x"),
    ("address with odd digits", b"P 0xzz"),
    ("address with a comma", b"P A,"),
    ("a comma for the space", b"P,A"),
    ("a negative length", b"P A -4096"),
    ("a length of 0", b"P A 0"),
    ("a length of 0x0", b"P A 0x0"),
    ("a length of 0x", b"P A 0x"),
    ("a length with a suffix", b"P A 64k"),
    ("a length out of range", b"P A 0x10000000000000000"),
    ("a range past the end", b"P A 0xffffffffffffffff"),
    ("two lengths", b"P A 4096 4096"),
    ("an unknown word", b"P A now"),
    ("an unknown key", b"P A colour=red"),
    ("a key without value", b"P A path="),
    ("a key alone", b"P A path"),
    ("a key in capitals", b"P A PATH=kernel"),
    ("an unknown path", b"P A path=foo"),
    ("a path with more letters", b"P A path=kernels"),
    ("path twice", b"P A path=kernel path=kernel"),
    ("reclaim twice", b"P A reclaim=0 reclaim=1"),
    ("reclaim=2", b"P A reclaim=2"),
    ("reclaim=-1", b"P A reclaim=-1"),
    ("reclaim=01", b"P A reclaim=01"),
    ("reclaim without value", b"P A reclaim="),
    ("reclaim=yes", b"P A reclaim=yes"),
    ("spaces around the equals sign", b"P A path = kernel"),
    ("one word too many", b"P A 4096 path=kernel reclaim=0 more"),
    ("a NUL at the end", b"P A\0"),
    ("a NUL in the middle", b"P\0A"),
    ("a NUL after a newline", b"P A\n\0"),
    ("no UTF-8", b"P A \xff\xfe"),
    ("UTF-8 digits", "P \u{0661}".as_bytes()),
    ("a newline in the middle", b"P\nA"),
    ("two requests", b"P A\nP A\n"),
    ("two newlines", b"P A\n\n"),
];

/// The bytes of a form, with the real pid and address.
fn filled(form: &[u8], pid: i32, address: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, byte) in form.iter().enumerate() {
        // `PATH` is a word, not a place.
        match byte {
            b'P' if form.get(i + 1) != Some(&b'A') => bytes.extend(pid.to_string().bytes()),
            b'A' if i == 0 || form[i - 1] != b'P' => {
                bytes.extend(format!("{address:#x}").bytes());
            }
            byte => bytes.push(*byte),
        }
    }
    bytes
}

fn refused(checks: &mut Checks, form: &'static [u8]) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let bytes = filled(form, shape.subjects[0].pid, shape.folio.address);
    check_refused(checks, &shape, &bytes)
}

fn refused_bytes(checks: &mut Checks, form: &dyn Fn(&Request) -> Vec<u8>) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    check_refused(checks, &shape, &form(&request_for(&shape, Path::Batched)))
}

fn check_refused(checks: &mut Checks, shape: &Shape<'_>, bytes: &[u8]) -> Result<(), Stop> {
    let before = (shape.look()?, trigger::stats()?);
    let errno = Trigger::open()?.write(bytes)?;
    let after = (shape.look()?, trigger::stats()?);
    checks.eq("errno", errno_name(errno), "EINVAL".into());
    untouched::check(checks, &shape.folio, &before.0, &after.0);
    check_stats(checks, &before.1, &after.1);
    Ok(())
}

/// A malformed request may be counted as a request and as a failure of its kind, and nowhere else.
fn check_stats(checks: &mut Checks, before: &Report, after: &Report) {
    for (key, value) in after.iter() {
        if key != "requests" && !key.starts_with("failed_") {
            checks.eq(&format!("stats {key}"), Some(value), before.get(key));
        }
    }
}

pub fn empty_write(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let before = (shape.look()?, trigger::stats()?);
    let errno = errno_name(Trigger::open()?.write(b"")?);
    checks.that(errno == "ok" || errno == "EINVAL", || errno);
    untouched::check(checks, &shape.folio, &before.0, &shape.look()?);
    check_stats(checks, &before.1, &trigger::stats()?);
    Ok(())
}
