// SPDX-License-Identifier: GPL-2.0

//! Reading far beyond the end of a file.

use std::fs::File;
use std::os::fd::AsRawFd;

use super::files::expect;
use super::open::{returned, Open, Wrong};
use super::worker::Worker;
use crate::live::LIVE;
use crate::sys::page_size;
use crate::trigger::STATS;

/// Reads where no text can be, with `pread(2)` or from the file's position: nothing is there, and
/// nothing may be written to the reader's memory.
pub fn read(w: &mut Worker) -> Result<i32, Wrong> {
    let path = match w.rng.u32(..4) {
        0 => LIVE,
        1 => STATS,
        _ => return w.with_open(of_unmap),
    };
    let file = File::options().read(true).open(path);
    let mut open = Open::new(file.map_err(|e| format!("open {path}: {e}"))?);
    beyond(w, &mut open)
}

/// The report, whose text is there before and must be afterwards.
fn of_unmap(w: &mut Worker, open: &mut Open) -> Result<i32, Wrong> {
    let text = open.check_report()?;
    let errno = beyond(w, open)?;
    match open.has_own_report() && open.check_report()? != text {
        false => Ok(errno),
        true => Err("the report has changed".into()),
    }
}

fn beyond(w: &mut Worker, open: &mut Open) -> Result<i32, Wrong> {
    let at = match w.rng.u32(..8) {
        0 => -1 - w.rng.i64(0..1 << 40),
        1 | 2 => i64::MAX - w.rng.i64(0..8192),
        3 => (1 << 32) + w.rng.i64(0..64),
        // No text is as long as the shortest of these.
        _ => (1 << w.rng.u32(16..63)) + w.rng.i64(0..64),
    };
    let len = 1 << w.rng.u32(..13);
    // The kernel refuses what would end beyond its largest offset (fs/read_write.c:
    // rw_verify_area); the module is not even called.
    let fits = at >= 0 && at.checked_add(len as i64).is_some();
    let want = if fits { Ok(0) } else { Err(libc::EINVAL) };
    // Who writes to this page dies, or gets an error.
    let nowhere = w.border.address() + page_size() as u64;
    if at < 0 || w.rng.bool() {
        let got = open.read_raw(nowhere, len, at);
        expect(&format!("pread of {len} at {at:#x}"), got, want)?;
    } else {
        expect("lseek", open.seek(at, libc::SEEK_SET), Ok(at as usize))?;
        // SAFETY: The page cannot be written to.
        let got = unsafe { libc::read(open.file.as_raw_fd(), nowhere as *mut _, len) };
        expect(&format!("read of {len} at {at:#x}"), returned(got), want)?;
        let still = open.seek(0, libc::SEEK_CUR);
        expect("position after it", still, Ok(at as usize))?;
        expect("lseek", open.seek(0, libc::SEEK_SET), Ok(0))?;
    }
    Ok(want.err().unwrap_or(0))
}
