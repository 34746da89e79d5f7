// SPDX-License-Identifier: GPL-2.0

//! The file `live` as a switch.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicI32, Ordering::Acquire, Ordering::Release};
use std::sync::Arc;
use std::thread::{self, sleep};
use std::time::Duration;

use crate::live::{self, LIVE};
use crate::runner::Test;
use crate::sys::{self, errno_name};
use crate::verdict::{Checks, Stop};

/// What the switch must not understand.
const ODD: [&[u8]; 15] = [
    b"", b"\n", b"2", b"2\n", b"-1", b"01", b"10", b"1 ", b" 1", b"1x", b"on", b"y", b"Y\n", b"\0",
    b"1\n\n",
];

/// Looks in a row, a millisecond apart, that must find a thread asleep: on its way to where it waits
/// for the others, it may have to wait for something else, but not for long.
const SURE: u32 = 3;

/// What it takes, what it refuses, and who wins.
pub fn tests() -> Vec<Test> {
    vec![
        Test::new("live: the file", the_file),
        Test::new("live: neither 0 nor 1", neither),
        Test::new("live: twice the same", twice),
        Test::new("live: three at once, the last one wins", at_once),
    ]
}

fn the_file(checks: &mut Checks) -> Result<(), Stop> {
    let meta = std::fs::metadata(LIVE)?;
    checks.eq("mode", meta.mode() & 0o7777, 0o600);
    checks.eq("owner", (meta.uid(), meta.gid()), (0, 0));
    checks.eq("at first", live::read()?, "0\n".into());
    for text in ["1", "0", "1\n", "0\n"] {
        checks.eq(
            &format!("errno of {text:?}"),
            live::write(text.as_bytes())?,
            0,
        );
        let digit = format!("{}\n", text.trim());
        checks.eq(&format!("read after {text:?}"), live::read()?, digit);
    }
    Ok(())
}

fn neither(checks: &mut Checks) -> Result<(), Stop> {
    for on in [false, true] {
        live::set(on)?;
        let was = live::read()?;
        let long = vec![b'1'; 1 << 20];
        for text in ODD.into_iter().chain([&long[..]]) {
            let what: String = String::from_utf8_lossy(text).chars().take(8).collect();
            let errno = live::write(text)?;
            checks.eq(
                &format!("errno of {what:?}"),
                errno_name(errno),
                errno_name(libc::EINVAL),
            );
            checks.eq(&format!("read after {what:?}"), live::read()?, was.clone());
        }
    }
    live::set(false)
}

/// Switching to what it is already changes nothing, and one switch takes it back.
fn twice(checks: &mut Checks) -> Result<(), Stop> {
    for on in [true, true, false, false, true, false] {
        live::set(on)?;
        checks.eq("redirected", live::redirected()?, on);
    }
    Ok(())
}

/// To switch takes longer than the next one takes to come.
fn at_once(checks: &mut Checks) -> Result<(), Stop> {
    for round in 0..16u32 {
        let wanted = [0, 1, 2].map(|k| (round >> k) & 1 != 0);
        let errnos = thread::scope(|scope| {
            let threads = wanted.map(|on| {
                let text: &[u8] = if on { b"1" } else { b"0" };
                let begun = Arc::new(AtomicI32::new(0));
                let here = begun.clone();
                let thread = scope.spawn(move || {
                    begun.store(sys::thread_id(), Release);
                    live::write(text)
                });
                // The order in which they come is known only if each has come before the next sets out.
                let mut seen = 0;
                while !thread.is_finished() && seen < SURE {
                    seen = match is_in_line(here.load(Acquire)) {
                        true => seen + 1,
                        false => 0,
                    };
                    sleep(Duration::from_millis(1));
                }
                thread
            });
            threads.map(|t| t.join().ok().and_then(Result::ok))
        });
        checks.context(format!("{wanted:?}"));
        checks.eq("errnos", errnos, [Some(0); 3]);
        let last = if wanted[2] { "1\n" } else { "0\n" };
        checks.eq("read", live::read()?, last.into());
        checks.eq("redirected", live::redirected()?, wanted[2]);
    }
    live::set(false)
}

/// Whether a thread that has set out to write sleeps in the kernel's `write()`.
fn is_in_line(thread: i32) -> bool {
    let call = fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).unwrap_or_default();
    call.split(' ').next() == Some(&libc::SYS_write.to_string())
}
