// SPDX-License-Identifier: GPL-2.0

//! What two processes talk through.

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use super::cvt;

/// Closes all descriptors of this process but one.
pub fn close_all_but(fd: RawFd) {
    for (first, last) in [(0, fd - 1), (fd + 1, i32::MAX)] {
        if first <= last {
            // SAFETY: This takes numbers only; whoever owned these is not used any more.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

/// A connected pair of sockets that keep message boundaries.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    cvt(i64::from(unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, fds.as_mut_ptr())
    }))?;
    // SAFETY: The call made these two descriptors, and nobody else owns them.
    unsafe { Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))) }
}

/// Whoever receives from the socket `fd` waits so long at most; for ever if that is no time at all.
pub fn wait_at_most(fd: &OwnedFd, limit: Duration) -> io::Result<()> {
    let limit = libc::timeval {
        tv_sec: limit.as_secs() as libc::time_t,
        tv_usec: limit.subsec_micros().into(),
    };
    // SAFETY: `limit` is a `timeval`, which this option takes.
    cvt(i64::from(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&limit as *const libc::timeval).cast(),
            size_of::<libc::timeval>() as u32,
        )
    }))
    .map(drop)
}

/// A pipe: its end to read and its end to write.
pub fn pipe() -> io::Result<(File, File)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    cvt(i64::from(unsafe { libc::pipe(fds.as_mut_ptr()) }))?;
    // SAFETY: The call made these two descriptors, and nobody else owns them.
    unsafe { Ok((File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))) }
}

/// Waits until `fd` can be read or is closed; false after `millis`.
pub fn readable(fd: BorrowedFd<'_>, millis: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one valid entry.
    Ok(cvt(i64::from(unsafe { libc::poll(&mut poll, 1, millis) }))? > 0)
}
