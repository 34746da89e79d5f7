// SPDX-License-Identifier: GPL-2.0

//! An open `unmap`, and the report that it must give.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::grammar;
use super::world::World;
use crate::sys::errno_name;
use crate::trigger::{Report, Request, UNMAP};

/// What is not as it must be.
pub type Wrong = String;

/// A system call's result: what it returned, or its error number.
pub fn returned(value: isize) -> Result<usize, i32> {
    match usize::try_from(value) {
        Ok(value) => Ok(value),
        Err(_) => Err(io::Error::last_os_error().raw_os_error().unwrap_or(-1)),
    }
}

/// An open `unmap` that one thread has for itself.
pub struct Open {
    /// The file.
    pub file: File,
    last: Option<(Request, i32)>,
}

impl Open {
    /// Takes a file that was just opened.
    pub fn new(file: File) -> Self {
        Open { file, last: None }
    }

    /// Opens the file once more.
    pub fn of_its_own() -> io::Result<Self> {
        let file = File::options().read(true).write(true).open(UNMAP)?;
        Ok(Open::new(file))
    }

    /// `write(2)` of these bytes.
    pub fn write(&self, bytes: &[u8]) -> Result<usize, i32> {
        self.write_raw(bytes.as_ptr() as u64, bytes.len())
    }

    /// `lseek(2)`: where `read(2)` then goes on.
    pub fn seek(&self, at: i64, whence: i32) -> Result<usize, i32> {
        // SAFETY: `lseek()` has no memory preconditions.
        returned(unsafe { libc::lseek(self.file.as_raw_fd(), at, whence) } as isize)
    }

    /// `write(2)` of whatever is there.
    pub fn write_raw(&self, address: u64, len: usize) -> Result<usize, i32> {
        // SAFETY: The kernel only reads, and checks whether it can.
        returned(unsafe { libc::write(self.file.as_raw_fd(), address as *const _, len) })
    }

    /// Judges what a write of `bytes` returned; its error number.
    pub fn judge(
        &mut self,
        world: &World,
        bytes: &[u8],
        returned: Result<usize, i32>,
    ) -> Result<i32, Wrong> {
        let (request, answers) = asked(world, bytes);
        let errno = match returned {
            Ok(n) if n == bytes.len() => 0,
            Ok(n) => return Err(format!("{}: short write of {n}", shown(bytes))),
            Err(errno) => errno,
        };
        if let Some(request) = request {
            self.last = Some((request, errno));
        }
        match answers.contains(&errno) {
            true => Ok(errno),
            false => Err(format!(
                "{}: {}, expected one of {:?}",
                shown(bytes),
                errno_name(errno),
                answers.iter().map(|e| errno_name(*e)).collect::<Vec<_>>()
            )),
        }
    }

    /// Whether the report is that of a request on this file; else others may change it.
    pub fn has_own_report(&self) -> bool {
        self.last.is_some()
    }

    /// From now on nobody knows what the last request was.
    pub fn forget(&mut self) {
        self.last = None;
    }

    /// `pread(2)`.
    pub fn read(&self, len: usize, at: i64) -> Result<Vec<u8>, i32> {
        let mut part = vec![0; len];
        let n = self.read_raw(part.as_mut_ptr() as u64, len, at)?;
        part.truncate(n);
        Ok(part)
    }

    /// `pread(2)` to a place that is the caller's, or is not there.
    pub fn read_raw(&self, address: u64, len: usize, at: i64) -> Result<usize, i32> {
        // SAFETY: What is written to is nothing that Rust relies on: bytes of a buffer that the
        // caller has for it.
        returned(unsafe { libc::pread(self.file.as_raw_fd(), address as *mut _, len, at) })
    }

    /// Reads the report, and checks that it is that of the last request on this file, or, if there
    /// was none, that of another.
    pub fn check_report(&self) -> Result<Vec<u8>, Wrong> {
        let text = self.read(4096, 0).map_err(|e| format!("read: errno {e}"))?;
        if text.is_empty() && self.last.is_none() {
            return Ok(text);
        }
        let report = whole(&text)?;
        let Some((request, errno)) = &self.last else {
            return Ok(text);
        };
        for (key, want) in [
            ("pid", request.pid.to_string()),
            ("address", format!("{:#x}", request.address)),
            ("length", request.len.unwrap_or(0).to_string()),
            ("path", request.path.to_string()),
            ("reclaim", u8::from(request.reclaim).to_string()),
            ("result", errno_name(*errno)),
        ] {
            if report.get(key) != Some(&want) {
                let got = report.get(key);
                return Err(format!(
                    "report after {request}: {key} {got:?}, expected {want}"
                ));
            }
        }
        Ok(text)
    }
}

/// What the bytes of one write ask for, and what that may be answered.
pub fn asked(world: &World, bytes: &[u8]) -> (Option<Request>, &'static [i32]) {
    let request = grammar::read(bytes);
    let answers = match &request {
        Some(request) => world.answers(request),
        None => &[libc::EINVAL],
    };
    (request, answers)
}

/// The bytes of a write, for people.
pub fn shown(bytes: &[u8]) -> String {
    let some = &bytes[..bytes.len().min(120)];
    format!("{} bytes \"{}\"", bytes.len(), some.escape_ascii())
}

/// Takes a report apart that must be whole, and must not contradict itself.
pub fn whole(text: &[u8]) -> Result<Report, Wrong> {
    let odd = || format!("odd report: {}", shown(text));
    let text = std::str::from_utf8(text).map_err(|_| odd())?;
    let report = Report::parse(text);
    let keys = text.lines().map(|l| l.split(' ').next().unwrap_or(""));
    if !text.ends_with('\n') || !keys.eq(Report::KEYS) || !report.odd_lines.is_empty() {
        return Err(odd());
    }
    let number = |key| report.number(key).ok_or_else(odd);
    let ok = report.get("result") == Some("ok");
    let sound = number("failed")? <= number("folios")?
        && number("folios")? <= number("pages")?
        && number("batches")? <= number("runs")?
        && (number("batches")? == 0 || report.get("path") == Some("batched"))
        && (!ok || (number("folios")? > 0 && number("failed")? == 0));
    match sound {
        true => Ok(report),
        false => Err(odd()),
    }
}
