// SPDX-License-Identifier: GPL-2.0

//! Signals from a timer.

use std::io;
use std::time::Duration;

use super::cvt;

extern "C" fn do_nothing(_signal: i32) {}

/// Does something while a signal that is not fatal comes again and again.
pub fn alarmed<T>(period: Duration, what: impl FnOnce() -> T) -> io::Result<T> {
    let handler: extern "C" fn(i32) = do_nothing;
    // SAFETY: All-zero is a valid `sigaction`: no flag says that calls are to be repeated.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // SAFETY: `action` lives during the call, and the handler does nothing.
    cvt(unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) }.into())?;
    set_timer(period)?;
    let done = what();
    set_timer(Duration::ZERO)?;
    Ok(done)
}

fn set_timer(period: Duration) -> io::Result<()> {
    let every = libc::timeval {
        tv_sec: period.as_secs() as _,
        tv_usec: period.subsec_micros().into(),
    };
    let timer = libc::itimerval {
        it_interval: every,
        it_value: every,
    };
    // SAFETY: `timer` lives during the call. The libc crate has no function for it.
    cvt(unsafe { libc::syscall(libc::SYS_setitimer, libc::ITIMER_REAL, &timer, 0) }).map(drop)
}
