// SPDX-License-Identifier: GPL-2.0

//! Swap areas.

use std::ffi::CString;
use std::io;

use super::{cvt, exit_now, fork, kill, wait, End};

/// `swapon(2)`.
pub fn swapon(path: &str) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: `path` is a valid string.
    cvt(i64::from(unsafe { libc::swapon(path.as_ptr(), 0) })).map(drop)
}

/// `swapoff(2)`.
pub fn swapoff(path: &str) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: `path` is a valid string.
    cvt(i64::from(unsafe { libc::swapoff(path.as_ptr()) })).map(drop)
}

/// `swapoff(2)` that is given up after a time: it looks for the last users of a device for ever.
pub fn swapoff_within(path: &str, limit: std::time::Duration) -> io::Result<()> {
    let Some(pid) = fork()? else {
        let errno = swapoff(path).err().and_then(|e| e.raw_os_error());
        exit_now(errno.unwrap_or(0))
    };
    let start = std::time::Instant::now();
    while start.elapsed() < limit {
        match wait(pid, false)? {
            Some(End::Code(0)) => return Ok(()),
            Some(End::Code(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(end) => return Err(io::Error::other(format!("swapoff: {end:?}"))),
            None => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    kill(pid);
    wait(pid, true)?;
    Err(io::Error::other("swapoff: no end in time"))
}
