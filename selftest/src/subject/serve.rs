// SPDX-License-Identifier: GPL-2.0

//! The subject's side: one loop that allocates nothing.

use super::message::{receive, send, Op, Populate, Reply, Request};
use super::{tags, Faults};
use crate::sys;

/// Obeys commands from the channel `at` until it is told to exit.
pub fn serve(channels: &[i32], mut at: usize) -> ! {
    sys::die_with_parent();
    sys::stay_on_first_cpu();
    loop {
        let Ok(request) = receive::<Request>(channels[at]) else {
            sys::exit_now(2)
        };
        let [a, b, c, d, ..] = request.args;
        let mut reply = Reply::default();
        match request.op {
            Op::Syscall => reply.value = syscall(&request.args),
            // SAFETY: The test sends ranges that it has mapped in this process and that nothing
            // else here uses. Where it errs, this process dies of SIGSEGV, and the test sees it.
            Op::Fill => unsafe { fill(a as *mut u64, b, c) },
            // SAFETY: As above.
            Op::Compare => reply.value = unsafe { compare(a as *const u64, b, c, d) },
            // SAFETY: As above.
            Op::Peek => reply.value = unsafe { (a as *const u8).read_volatile() }.into(),
            // SAFETY: As above.
            Op::Poke => unsafe { (a as *mut u8).write_volatile(b as u8) },
            // SAFETY: The test has put as many of them there.
            Op::Populate => unsafe { populate(a as *const Populate, b) },
            // SAFETY: As above; the test has seen that there are tags.
            Op::Tag => unsafe { tags::fill(a, b, |at| pattern(at, c)) },
            // SAFETY: As above.
            Op::CompareTags => reply.value = unsafe { tags::compare(a, b, |at| pattern(at, c)) },
            Op::ToggleMlock => reply.value = toggle_mlock(a, b, c),
            Op::Faults => {
                let faults = faults();
                reply.value = faults.minor;
                reply.more = faults.major;
            }
            Op::Fork => {
                let pid = fork();
                if pid == 0 {
                    sys::die_with_parent();
                    at = a as usize;
                    continue;
                }
                reply.value = pid as u64;
            }
            Op::Exit => sys::exit_now(0),
        }
        if send(channels[at], &reply).is_err() {
            sys::exit_now(2);
        }
    }
}

/// The word that belongs at `address` in the pattern of `seed`: another for each address and seed,
/// but always zero for seed 0.
fn pattern(address: u64, seed: u64) -> u64 {
    if seed == 0 {
        return 0;
    }
    let x = (address ^ (seed << 56)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x ^ (x >> 32)
}

/// The byte that belongs at `address` in the pattern of `seed`.
pub fn pattern_byte(address: u64, seed: u64) -> u8 {
    pattern(address & !7, seed).to_ne_bytes()[(address & 7) as usize]
}

/// # Safety
///
/// `[start, start + len)` is mapped, writable, and used by nobody else.
unsafe fn fill(start: *mut u64, len: u64, seed: u64) {
    for i in 0..len as usize / 8 {
        // SAFETY: Inside the range that the caller vouches for.
        unsafe {
            let word = start.add(i);
            word.write_volatile(pattern(word as u64, seed));
        }
    }
}

/// # Safety
///
/// `[start, start + len)` is mapped and readable.
unsafe fn compare(start: *const u64, len: u64, seed: u64, origin: u64) -> u64 {
    for i in 0..len as usize / 8 {
        // SAFETY: Inside the range that the caller vouches for.
        let (word, value) = unsafe { (start.add(i), start.add(i).read_volatile()) };
        if value != pattern(origin + 8 * i as u64, seed) {
            return word as u64;
        }
    }
    0
}

/// Tells how many calls failed.
fn toggle_mlock(start: u64, len: u64, times: u64) -> u64 {
    let mut failed = 0;
    for _ in 0..times {
        for nr in [libc::SYS_mlock, libc::SYS_munlock] {
            failed += u64::from(syscall(&[nr as u64, start, len, 0, 0, 0, 0]) != 0);
        }
    }
    failed
}

fn syscall(args: &[u64; 7]) -> u64 {
    let [nr, a, b, c, d, e, f] = *args;
    // SAFETY: The test knows what it asks for; this process exists to be treated so.
    let value = unsafe { libc::syscall(nr as i64, a, b, c, d, e, f) };
    match value {
        -1 => -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)) as u64,
        value => value as u64,
    }
}

/// # Safety
///
/// `list` points to `n` of them.
unsafe fn populate(list: *const Populate, n: u64) {
    for i in 0..n as usize {
        // SAFETY: Inside the list that the caller vouches for.
        let part = unsafe { list.add(i).read() };
        let madvise = libc::SYS_madvise as u64;
        // The vdso and its like do not take it, and do not need it.
        let _ = syscall(&[madvise, part.start, part.len, part.advice, 0, 0, 0]);
    }
}

fn faults() -> Faults {
    // SAFETY: All-zero is a valid `rusage`.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid place for the answer.
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    Faults {
        minor: usage.ru_minflt as u64,
        major: usage.ru_majflt as u64,
    }
}

/// Forks a sibling, a child of the test: the test can then wait for it.
fn fork() -> i64 {
    let flags = (libc::CLONE_PARENT | libc::SIGCHLD) as u64;
    // SAFETY: As `fork()`: a copy of the address space on the same stack. What the C library would
    // do besides (its locks, its cached ids) is of no use to this loop.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0u64, 0u64, 0u64, 0u64) };
    match pid {
        -1 => -i64::from(std::io::Error::last_os_error().raw_os_error().unwrap_or(0)),
        pid => pid,
    }
}
