// SPDX-License-Identifier: GPL-2.0

//! Ways to hand in a request: in one write or in pieces, from memory that is there or not.

use std::io;
use std::os::fd::AsRawFd;

use super::draw;
use super::grammar::LONGEST;
use super::open::{asked, returned, shown, whole, Open, Wrong};
use super::worker::Worker;
use crate::sys::{self, page_size};

/// One `write(2)`, and mostly the report.
pub fn plain(w: &mut Worker) -> Result<i32, Wrong> {
    let text = draw::text(w.world, &mut w.rng);
    let look = w.rng.bool();
    w.with_open(|w, open| {
        let errno = w.write(open, &text)?;
        if errno == 0 {
            w.tally.note_unmapped(&whole(&open.check_report()?)?);
        } else if look {
            open.check_report()?;
        }
        Ok(errno)
    })
}

/// `pwrite(2)` at an offset: as without.
pub fn offset(w: &mut Worker) -> Result<i32, Wrong> {
    let text = draw::text(w.world, &mut w.rng);
    let at = 1i64 << w.rng.u32(..63);
    w.with_open(|w, open| {
        let (fd, data) = (open.file.as_raw_fd(), text.as_ptr().cast());
        // SAFETY: `text` lives during the call.
        let got = returned(unsafe { libc::pwrite(fd, data, text.len(), at) });
        w.judge(open, &text, got)
    })
}

/// A request cut in two: each part is one of its own.
pub fn split(w: &mut Worker) -> Result<i32, Wrong> {
    let text = draw::text(w.world, &mut w.rng);
    let at = w.rng.usize(..=text.len());
    w.with_open(|w, open| {
        w.write(open, &text[..at])?;
        w.write(open, &text[at..])
    })
}

/// `writev(2)`: each part is a request, up to the first that fails.
pub fn vector(w: &mut Worker) -> Result<i32, Wrong> {
    let n = w.rng.usize(1..5);
    let mut texts: Vec<_> = (0..n).map(|_| draw::text(w.world, &mut w.rng)).collect();
    // The kernel does not hand in empty parts as it does others.
    texts.retain(|text| !text.is_empty());
    let iovec = |text: &Vec<u8>| libc::iovec {
        iov_base: text.as_ptr() as *mut _,
        iov_len: text.len(),
    };
    let iovecs: Vec<_> = texts.iter().map(iovec).collect();
    w.with_open(|w, open| {
        let fd = open.file.as_raw_fd();
        // SAFETY: The vectors tell of `texts`, which live during the call.
        let got = returned(unsafe { libc::writev(fd, iovecs.as_ptr(), iovecs.len() as i32) });
        let mut taken = match (got, texts.first()) {
            (Err(errno), Some(text)) => return w.judge(open, text, Err(errno)),
            (Err(errno), None) => return Err(format!("writev of nothing: errno {errno}")),
            (Ok(n), _) => n,
        };
        for text in &texts {
            if taken == 0 {
                // By which error it was ended, nobody says.
                w.tally.carried.add(asked(w.world, text).0.is_some().into());
                open.forget();
                break;
            }
            if taken < text.len() {
                return Err(format!("writev: {taken} bytes of {}", shown(text)));
            }
            w.judge(open, text, Ok(text.len()))?;
            taken -= text.len();
        }
        Ok(0)
    })
}

/// More than a request can be, to the byte and by far.
pub fn huge(w: &mut Worker) -> Result<i32, Wrong> {
    let request = w.world.aim(&mut w.rng);
    let mut text = draw::right(&request, &mut w.rng);
    let len = match w.rng.u32(..4) {
        0 => LONGEST + 1,
        _ => 1 << w.rng.u32(8..17),
    };
    let filler = *w.rng.choice(b" x\0\n").expect("some");
    text.resize(len.max(text.len()), filler);
    w.with_open(|w, open| w.write(open, &text))
}

/// From memory that is not there, wholly or from some byte on.
pub fn bad_pointer(w: &mut Worker) -> Result<i32, Wrong> {
    let request = w.world.aim(&mut w.rng);
    let text = draw::right(&request, &mut w.rng);
    let place = w.rng.u32(..6);
    let there = w.rng.usize(..text.len());
    let border = w.border.address() + page_size() as u64;
    let address = match place {
        // Some of it lies before the page that is not accessible.
        0 | 1 => w.border.put(page_size() - there, &text[..there]),
        2 => border,
        3 => w.rng.u64(..4096),
        4 => 0xffff_8000_0000_0000 | w.rng.u64(..),
        _ => 1 << 46,
    };
    let look = w.rng.bool();
    w.with_open(|_, open| {
        match open.write_raw(address, text.len()) {
            Err(libc::EFAULT) => {}
            other => return Err(format!("write from {address:#x}: {other:?}")),
        }
        // Nothing was asked: the report is the one before.
        if look {
            open.check_report()?;
        }
        Ok(libc::EFAULT)
    })
}

/// Two pages, of which the second is not accessible.
pub fn border() -> io::Result<sys::Shared> {
    let pages = sys::Shared::new(2 * page_size())?;
    let second = pages.address() + page_size() as u64;
    // SAFETY: The page was just mapped and holds nothing.
    let ret = unsafe { libc::mprotect(second as *mut _, page_size(), libc::PROT_NONE) };
    sys::cvt(ret.into())?;
    Ok(pages)
}

/// On the one open file that all threads of all processes have in common, each makes requests of
/// its own form; the report must be of one of them, and of one alone.
pub fn common(w: &mut Worker) -> Result<i32, Wrong> {
    let pid = i32::MAX - w.slot;
    let address = w.rng.u64(..) >> 1;
    let text = format!("{pid} {address:#x} {}", seal(pid, address));
    let common = Open::new(w.common.try_clone().map_err(|e| e.to_string())?);
    match common.write(text.as_bytes()) {
        Err(libc::ESRCH) => w.tally.carried.add(1),
        other => return Err(format!("{text}: {other:?}")),
    }
    let report = common
        .read(4096, 0)
        .map_err(|e| format!("read: errno {e}"))?;
    let report = whole(&report)?;
    let pid: i32 = report
        .number("pid")
        .and_then(|n| n.try_into().ok())
        .unwrap_or(0);
    let address = report.get("address").and_then(|a| a.strip_prefix("0x"));
    let address = address.and_then(|a| u64::from_str_radix(a, 16).ok());
    let sealed = address.map(|address| seal(pid, address));
    match sealed == report.number("length") && report.get("result") == Some("ESRCH") {
        true => Ok(libc::ESRCH),
        false => Err(format!("mixed up: {report:?}")),
    }
}

/// A length that belongs to a pid and an address.
fn seal(pid: i32, address: u64) -> u64 {
    1 + ((address ^ pid as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 2)
}
