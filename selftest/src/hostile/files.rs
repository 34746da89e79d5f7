// SPDX-License-Identifier: GPL-2.0

//! All else that one can do to the files.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd};

use super::draw;
use super::open::{returned, Open, Wrong};
use super::worker::Worker;
use crate::live::LIVE;
use crate::sys::{errno_name, page_size};
use crate::trigger::{Report, STATS, UNMAP};

/// Reads the report in parts of all sizes, from all places.
pub fn read(w: &mut Worker) -> Result<i32, Wrong> {
    w.with_open(|w, open| {
        let text = open.check_report()?;
        if !open.has_own_report() {
            return Ok(0);
        }
        let mut at = 0;
        for _ in 0..w.rng.usize(1..6) {
            let fd = open.file.as_raw_fd();
            match w.rng.u32(..4) {
                // Reading from the beginning would make the text anew.
                0 => at = 1 + w.rng.usize(..text.len() + 8),
                1 => {
                    let whence = w.rng.i32(5..);
                    let got = open.seek(at as i64, whence);
                    expect("lseek by an odd way", got, Err(libc::EINVAL))?;
                }
                _ => {}
            }
            let len = 1 << w.rng.u32(..9);
            expect("lseek", open.seek(at as i64, libc::SEEK_SET), Ok(at))?;
            let mut part = vec![0; len];
            // SAFETY: There is room for as much.
            let got = returned(unsafe { libc::read(fd, part.as_mut_ptr().cast(), len) });
            let rest = &text[at.min(text.len())..];
            let want = &rest[..len.min(rest.len())];
            expect("read", got, Ok(want.len()))?;
            if part[..want.len()] != *want {
                return Err(format!("{len} bytes at {at} are not those of the text"));
            }
            at += want.len();
        }
        Ok(0)
    })
}

/// Reads to where there is no memory.
pub fn read_bad(w: &mut Worker) -> Result<i32, Wrong> {
    let room = w.rng.u64(..16);
    let border = w.border.address() + page_size() as u64 - room;
    let to = *w.rng.choice(&[border, 8, 1 << 46, 1 << 63]).expect("some");
    w.with_open(|_, open| {
        let text = open.check_report()?;
        if !open.has_own_report() {
            return Ok(0);
        }
        let fd = open.file.as_raw_fd();
        // SAFETY: `border` is followed by nothing but its own bytes and a page that cannot be
        // written to; at the other places there is no memory.
        let got = returned(unsafe { libc::pread(fd, to as *mut _, 512, 0) });
        expect("read to nowhere", got, Err(libc::EFAULT))?;
        match open.check_report()? == text {
            true => Ok(libc::EFAULT),
            false => Err("the report has changed".into()),
        }
    })
}

/// The report on a file that has just been opened, in one way or another.
pub fn open(w: &mut Worker) -> Result<i32, Wrong> {
    let access = w.rng.i32(0..3);
    let more = [
        0,
        libc::O_APPEND,
        libc::O_TRUNC,
        libc::O_NONBLOCK,
        libc::O_SYNC,
        libc::O_NOATIME,
        libc::O_CREAT,
        libc::O_CREAT | libc::O_EXCL,
        libc::O_DIRECTORY,
        libc::O_DIRECT,
    ];
    let more = *w.rng.choice(&more).expect("some");
    let want = match more {
        libc::O_DIRECTORY => libc::ENOTDIR,
        libc::O_DIRECT => libc::EINVAL,
        _ if more & libc::O_EXCL != 0 => libc::EEXIST,
        _ => 0,
    };
    let path = std::ffi::CString::new(UNMAP).expect("no NUL");
    // SAFETY: `path` is a valid string.
    let got = returned(unsafe { libc::open(path.as_ptr(), access | more, 0o600) } as isize);
    let fd = match got {
        Ok(fd) if want == 0 => fd,
        Err(errno) if errno == want => return Ok(errno),
        other => return Err(format!("open with {access} {more:#o}: {other:?}")),
    };
    // SAFETY: The call made it, and nobody else owns it.
    let mut open = Open::new(unsafe { File::from_raw_fd(fd as i32) });
    let text = draw::text(w.world, &mut w.rng);
    if access == libc::O_RDONLY {
        expect("write", open.write(&text), Err(libc::EBADF))?;
        open.check_report()?;
        return Ok(libc::EBADF);
    }
    let errno = w.write(&mut open, &text)?;
    if access == libc::O_WRONLY {
        expect("read", open.read(16, 0).map(|t| t.len()), Err(libc::EBADF))?;
    } else {
        open.check_report()?;
    }
    Ok(errno)
}

/// Calls that the files do not have.
pub fn calls(w: &mut Worker) -> Result<i32, Wrong> {
    let path = *w.rng.choice(&[UNMAP, LIVE, STATS]).expect("some");
    let file = File::options().read(true).write(true).open(path);
    let file = file.map_err(|e| format!("open {path}: {e}"))?;
    let fd = file.as_raw_fd();
    let ends = w.pipe.0.as_raw_fd();
    let null = std::ptr::null_mut();
    // SAFETY: No call is given memory of this program but `poll`, which lives.
    let (name, got, want) = unsafe {
        match w.rng.u32(..10) {
            0 => {
                let commands = [0u32, 0x5401, 0x1260, 0x8008_6601, 0xdead_beef];
                let command = *w.rng.choice(&commands).expect("some");
                let got = libc::ioctl(fd, command as _, 8);
                ("ioctl", got as isize, libc::ENOTTY)
            }
            1 => {
                let prot = libc::PROT_READ;
                let got = libc::mmap(null, page_size(), prot, libc::MAP_SHARED, fd, 0);
                ("mmap", got as isize, libc::ENODEV)
            }
            2 => ("fsync", libc::fsync(fd) as isize, libc::EINVAL),
            3 => {
                let got = libc::fallocate(fd, 0, 0, 1) as isize;
                ("fallocate", got, libc::EOPNOTSUPP)
            }
            4 => {
                let got = libc::sendfile(w.pipe.1.as_raw_fd(), fd, null.cast(), 64);
                ("sendfile", got, libc::EINVAL)
            }
            5 => {
                let got = libc::splice(fd, null.cast(), w.pipe.1.as_raw_fd(), null.cast(), 64, 0);
                ("splice from", got, libc::EINVAL)
            }
            6 => {
                let got = libc::splice(ends, null.cast(), fd, null.cast(), 8, 0);
                ("splice to", got, libc::EINVAL)
            }
            7 => {
                let got = libc::syscall(libc::SYS_getdents64, fd, null, 64);
                ("getdents", got as isize, libc::ENOTDIR)
            }
            8 => {
                let got = libc::lseek(fd, -1 - w.rng.i64(0..1 << 40), libc::SEEK_SET);
                ("lseek", got as isize, libc::EINVAL)
            }
            _ => {
                let mut poll = libc::pollfd {
                    fd,
                    events: libc::POLLIN | libc::POLLOUT,
                    revents: 0,
                };
                let got = libc::poll(&mut poll, 1, 0);
                let all = poll.revents == poll.events;
                ("poll", if all { got as isize - 1 } else { 99 }, 0)
            }
        }
    };
    let want = if want == 0 { Ok(0) } else { Err(want) };
    expect(&format!("{name} of {path}"), returned(got), want)?;
    Ok(want.err().unwrap_or(0))
}

/// The totals: whole, never less than before, and not to be written to.
pub fn stats(w: &mut Worker) -> Result<i32, Wrong> {
    let file = File::options().read(true).write(true).open(STATS);
    let open = Open::new(file.map_err(|e| format!("open {STATS}: {e}"))?);
    let text = draw::text(w.world, &mut w.rng);
    expect("write to stats", open.write(&text), Err(libc::EINVAL))?;
    let text = open.read(1 << 14, 0).map_err(|e| format!("stats: {e}"))?;
    let at = w.rng.usize(1..text.len().max(2));
    let part = open.read(64, at as i64);
    if part.as_deref() != Ok(&text[at..text.len().min(at + 64)]) {
        return Err(format!("stats: other bytes at {at}"));
    }
    let now = Report::parse(&String::from_utf8_lossy(&text));
    let less = |(key, value): (&str, &str)| {
        value.parse::<u64>().is_err() || now.number(key) < w.totals.number(key)
    };
    if let Some((key, value)) = now.iter().find(|line| less(*line)) {
        let before = w.totals.get(key);
        return Err(format!("stats: {key} {value}, before {before:?}"));
    }
    w.totals = now;
    Ok(libc::EINVAL)
}

/// An error if a call has not returned what it must.
pub fn expect(what: &str, got: Result<usize, i32>, want: Result<usize, i32>) -> Result<(), Wrong> {
    let name = |r: Result<usize, i32>| r.map_err(errno_name);
    match got == want {
        true => Ok(()),
        false => Err(format!(
            "{what}: {:?}, expected {:?}",
            name(got),
            name(want)
        )),
    }
}

/// A pipe with something in it, for those who want to splice.
pub fn full_pipe() -> io::Result<(File, File)> {
    let pipe = crate::sys::pipe()?;
    io::Write::write_all(&mut &pipe.1, b"1 0x1000")?;
    Ok(pipe)
}
