// SPDX-License-Identifier: GPL-2.0

//! Signals while something goes on.

use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering::Acquire, Ordering::Release};
use std::thread;
use std::time::{Duration, Instant};

use super::{cvt, give_way, thread_id, use_all_cpus};

/// The least time between two signals: who gets them shall go on.
const LEAST: Duration = Duration::from_micros(100);

extern "C" fn do_nothing(_signal: i32) {}

/// Does something while a signal that is not fatal comes again and again, for the first time after
/// so long.
///
/// Another thread sends it, from another CPU: an emulated timer can be late by more than all takes.
pub fn alarmed<T>(after: Duration, what: impl FnOnce() -> T) -> io::Result<T> {
    let handler: extern "C" fn(i32) = do_nothing;
    // SAFETY: All-zero is a valid `sigaction`: no flag says that calls are to be repeated.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = handler as usize;
    // SAFETY: `action` lives during the call, and the handler does nothing.
    cvt(unsafe { libc::sigaction(libc::SIGALRM, &action, std::ptr::null_mut()) }.into())?;
    let target = thread_id();
    let (begun, over) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            use_all_cpus();
            begun.store(true, Release);
            let mut next = Instant::now() + after;
            while !over.load(Acquire) {
                if Instant::now() >= next {
                    alarm(target);
                    next = Instant::now() + after.max(LEAST);
                }
                spin_loop();
            }
        });
        while !begun.load(Acquire) {
            give_way();
        }
        let done = what();
        over.store(true, Release);
        Ok(done)
    })
}

fn alarm(thread: i32) {
    // SAFETY: The thread is one of this process, and has a handler for it.
    unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, libc::SIGALRM) };
}
