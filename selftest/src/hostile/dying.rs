// SPDX-License-Identifier: GPL-2.0

//! Processes that die while they ask, or while they are asked about, and pages that come late.
//!
//! A worker has several threads, so what it forks allocates nothing.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::thread;

use super::draw;
use super::open::{returned, shown, whole, Open, Wrong};
use super::victim::Part;
use super::worker::Worker;
use super::world::ANY;
use crate::ioctl::ioctl;
use crate::knobs;
use crate::sys::{self, page_size, End};
use crate::trigger::{Path, Request};
use crate::uffd::{UFFDIO_API, UFFDIO_REGISTER, UFFD_API};

/// Memory of a process that is not there for long.
const BRIEF: usize = 64 << 10;
/// How long one waits for a request to begin.
const TRIES: usize = 20_000;

/// A process is killed while it asks, or while somebody asks about it.
pub fn request_or_target(w: &mut Worker) -> Result<i32, Wrong> {
    match w.rng.u32(..3) {
        0 => asker(w),
        1 => target(w),
        _ => in_fault(w),
    }
}

fn request(w: &mut Worker, pid: i32, address: u64, len: Option<u64>) -> Request {
    Request {
        pid,
        address,
        len,
        path: *w.rng.choice(&Path::BOTH).expect("two"),
        reclaim: w.rng.bool(),
    }
}

fn io(error: std::io::Error) -> Wrong {
    error.to_string()
}

/// Asks for range after range, and is killed.
fn asker(w: &mut Worker) -> Result<i32, Wrong> {
    let pid = w.world.victim(&mut w.rng);
    let part = *w
        .rng
        .choice(&[Part::Large, Part::Small, Part::Shared])
        .expect("some");
    let text = request(w, pid, part.address(), Some(part.len() as u64)).to_string();
    let open = Open::of_its_own().map_err(io)?;
    let begun = w.tally.begun.get();
    let Some(child) = sys::fork().map_err(io)? else {
        loop {
            w.tally.begun.add(1);
            w.tally.unsure.add(1);
            if !matches!(open.write(text.as_bytes()), Err(e) if ANY.contains(&e) || e == libc::EINTR)
                && open.write(b"") != Err(libc::EINVAL)
            {
                sys::exit_now(3);
            }
        }
    };
    for _ in 0..TRIES {
        if w.tally.begun.get() != begun {
            break;
        }
        sys::give_way();
    }
    for _ in 0..w.rng.u32(..8) {
        sys::give_way();
    }
    sys::kill(child);
    ended(child)?;
    // The file has outlived who asked on it; the report is whole, if there is one.
    open.check_report().map(|_| 0)
}

/// Is asked about, and is killed or exits; then another may come by its pid.
fn target(w: &mut Worker) -> Result<i32, Wrong> {
    let exits = w.rng.bool();
    let mut errno = 0;
    let mut dead = None;
    for _ in 0..2 {
        let base = sys::map_anon(BRIEF).map_err(io)?;
        let begun = w.tally.begun.get();
        let Some(child) = sys::fork().map_err(io)? else {
            brief(w, base, exits)
        };
        w.tally.reused.add((dead == Some(child)).into());
        for _ in 0..TRIES {
            if w.tally.begun.get() != begun {
                break;
            }
            sys::give_way();
        }
        let len = w.rng.bool().then_some(BRIEF as u64);
        let text = request(w, child, base as u64, len).to_string();
        for _ in 0..w.rng.usize(1..4) {
            errno = w.with_open(|w, open| {
                let errno = w.write(open, text.as_bytes())?;
                open.check_report()?;
                Ok(errno)
            })?;
        }
        if !exits {
            sys::kill(child);
        }
        ended(child)?;
        // SAFETY: The memory is this function's, and nothing refers to it.
        unsafe { libc::munmap(base.cast(), BRIEF) };
        // Who forks next gets the number after this one, unless another is faster.
        let last = "/proc/sys/kernel/ns_last_pid";
        knobs::write(last, &(child - 1).to_string()).map_err(io)?;
        dead = Some(child);
    }
    Ok(errno)
}

/// A process that writes to its memory and reads it back until it exits or is killed.
fn brief(w: &mut Worker, base: *mut u8, exits: bool) -> ! {
    for round in 0..if exits { 16 } else { 1 << 20 } {
        for at in (0..BRIEF).step_by(512) {
            // SAFETY: The memory was mapped for this.
            unsafe { base.add(at).write_volatile((at as u8) ^ round as u8) };
        }
        if round == 0 {
            w.tally.begun.add(1);
        }
        sys::give_way();
        for at in (0..BRIEF).step_by(512) {
            // SAFETY: As above.
            if unsafe { base.add(at).read_volatile() } != (at as u8) ^ round as u8 {
                sys::exit_now(3);
            }
        }
    }
    sys::exit_now(0)
}

fn ended(child: i32) -> Result<(), Wrong> {
    match sys::wait(child, true).map_err(io)? {
        Some(End::Code(0) | End::Signal(libc::SIGKILL)) => Ok(()),
        end => Err(format!("a process ended with {end:?}")),
    }
}

/// A page whose first access waits until somebody fills it.
struct LatePage {
    uffd: File,
    page: u64,
}

// include/uapi/linux/userfaultfd.h
const UFFDIO_COPY: u64 = 0xc028_aa03;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;

impl LatePage {
    fn new() -> std::io::Result<Self> {
        let page = sys::map_anon(page_size())? as u64;
        // SAFETY: The call takes a number only.
        let fd = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        let fd = sys::cvt(fd)? as i32;
        // SAFETY: The call made it, and nobody else owns it.
        let uffd = unsafe { File::from_raw_fd(fd) };
        let late = LatePage { uffd, page };
        ioctl(&late.uffd, UFFDIO_API, &mut [UFFD_API, 0, 0])?;
        let range = [page, page_size() as u64, UFFDIO_REGISTER_MODE_MISSING, 0];
        ioctl(&late.uffd, UFFDIO_REGISTER, &mut { range })?;
        Ok(late)
    }

    /// Puts a page there. Who waits for it goes on.
    fn fill(&self, content: &[u8]) -> std::io::Result<()> {
        let from = content.as_ptr() as u64;
        let copy = &mut [self.page, from, page_size() as u64, 0, 0];
        ioctl(&self.uffd, UFFDIO_COPY, copy)
    }

    /// Waits until somebody waits for it.
    fn wanted(&self) -> std::io::Result<bool> {
        sys::readable(self.uffd.as_fd(), 10_000)
    }
}

impl Drop for LatePage {
    fn drop(&mut self) {
        // SAFETY: The page is its own, and nothing refers to it.
        unsafe { libc::munmap(self.page as *mut _, page_size()) };
    }
}

/// Is killed while it waits for the page that its request is in.
fn in_fault(w: &mut Worker) -> Result<i32, Wrong> {
    let open = Open::of_its_own().map_err(io)?;
    let before = open.check_report()?.is_empty();
    let len = w.rng.usize(1..256);
    let Some(child) = sys::fork().map_err(io)? else {
        // A copy of the page would have no userfaultfd.
        if let Ok(late) = LatePage::new() {
            let _ = open.write_raw(late.page, len);
        }
        sys::exit_now(3)
    };
    for _ in 0..w.rng.u32(..64) {
        sys::give_way();
    }
    sys::kill(child);
    ended(child)?;
    // Nothing was asked; another's report is as before there, or not.
    let after = open.check_report()?.is_empty();
    match after && !before {
        true => Err("the report is gone".into()),
        false => Ok(libc::EFAULT),
    }
}

/// The text of a request, or the place for a report, is in a page that comes late. Meanwhile other
/// files must answer.
pub fn late_page(w: &mut Worker) -> Result<i32, Wrong> {
    let text = draw::text(w.world, &mut w.rng);
    let reads = w.rng.bool();
    let late = LatePage::new().map_err(io)?;
    let mut content = text.clone();
    content.resize(page_size(), b'?');
    w.with_open(|w, open| {
        let report = open.check_report()?;
        let (fd, page) = (open.file.as_raw_fd(), late.page);
        let (got, asked) = thread::scope(|scope| {
            let helper = scope.spawn(|| -> Result<(), Wrong> {
                if !late.wanted().map_err(io)? {
                    return Err("nobody wants the page".into());
                }
                let other = Open::of_its_own().map_err(io)?;
                if other.write(b"no request") != Err(libc::EINVAL) {
                    return Err("another file does not answer".into());
                }
                late.fill(&content).map_err(io)
            });
            // SAFETY: The page is mapped; a report is shorter, as is a request.
            let got = returned(unsafe {
                match reads {
                    true => libc::pread(fd, page as *mut _, 4096, 0),
                    false => libc::write(fd, page as *const _, text.len()),
                }
            });
            // Nothing may have to be copied at all.
            if text.is_empty() || (reads && report.is_empty()) {
                // SAFETY: As above.
                unsafe { (page as *const u8).read_volatile() };
            }
            (got, helper.join())
        });
        asked.map_err(|_| "a thread died")??;
        if !reads {
            return w.judge(open, &text, got);
        }
        let len = got.map_err(|errno| format!("read into a late page: errno {errno}"))?;
        // SAFETY: The page is there now, and nobody writes to it.
        let read = unsafe { std::slice::from_raw_parts(page as *const u8, len) };
        if open.has_own_report() && read != report {
            return Err(format!("read into a late page: {}", shown(read)));
        }
        // Without, others may have made another meanwhile, but none that is not whole.
        if !read.is_empty() || !report.is_empty() {
            whole(read)?;
        }
        Ok(0)
    })
}
