// SPDX-License-Identifier: GPL-2.0

//! Pages that come late, or never: who waits for one is in the midst of a write or read.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::thread;
use std::time::{Duration, Instant};

use super::draw;
use super::dying::{ended, io};
use super::open::{shown, whole, Open, Wrong};
use super::worker::Worker;
use super::world::NO_PID;
use crate::ioctl::ioctl;
use crate::knobs;
use crate::sys::{self, page_size, End};
use crate::uffd::{UFFDIO_API, UFFDIO_REGISTER, UFFD_API};

/// How long a reader may take who waits for nobody.
const PATIENCE: Duration = Duration::from_secs(20);

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

/// A process is killed while it waits for the page that its request is in, or that is to get the
/// report. Who reads the same open file meanwhile, or afterwards, must get the report.
pub fn in_fault(w: &mut Worker) -> Result<i32, Wrong> {
    let mut open = Open::of_its_own().map_err(io)?;
    w.write(&mut open, format!("{NO_PID} 0").as_bytes())?;
    let report = open.check_report()?;
    let (reads, meanwhile) = (w.rng.bool(), w.rng.bool());
    let len = w.rng.usize(1..256);
    let Some(waiting) = sys::fork().map_err(io)? else {
        // A copy of the page would have no userfaultfd.
        if let Ok(late) = LatePage::new() {
            let _ = match reads {
                true => open.read_raw(late.page, 4096, 0),
                false => open.write_raw(late.page, len),
            };
        }
        sys::exit_now(3)
    };
    let place = format!("/proc/{waiting}/wchan");
    let in_time = |began: Instant| began.elapsed() < sys::patience(PATIENCE);
    let began = Instant::now();
    let mut waits = false;
    while !waits && in_time(began) {
        waits = knobs::read(&place).is_ok_and(|at| at == "handle_userfault");
        sys::give_way();
    }
    let another = || reader(&open, &report);
    let early = meanwhile.then(another).transpose()?;
    for _ in 0..w.rng.u32(..64) {
        sys::give_way();
    }
    sys::kill(waiting);
    ended(waiting)?;
    let reader = early.map_or_else(another, Ok)?;
    let began = Instant::now();
    let end = loop {
        match sys::wait(reader, false).map_err(io)? {
            None if in_time(began) => {
                thread::sleep(Duration::from_millis(1));
            }
            end => break end,
        }
    };
    match end {
        Some(End::Code(0)) if waits => Ok(libc::EFAULT),
        Some(End::Code(0)) => Err("nobody waits for the page".into()),
        end => {
            // Each of these would wait as long.
            w.tally.stop.set(1);
            Err(format!(
                "who reads after one who was killed (reading: {reads}) ended with {end:?}"
            ))
        }
    }
}

/// A process that reads the report, and exits with 0 if it is this one.
fn reader(open: &Open, report: &[u8]) -> Result<i32, Wrong> {
    let Some(pid) = sys::fork().map_err(io)? else {
        // Should it wait for ever, nobody who reads from these must do so, too.
        sys::close_all_but(open.file.as_raw_fd());
        let mut text = [0; 4096];
        let len = open.read_raw(text.as_mut_ptr() as u64, text.len(), 0);
        let same = len.is_ok_and(|len| text[..len] == *report);
        sys::exit_now(i32::from(!same))
    };
    Ok(pid)
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
        let page = late.page;
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
            // The page is mapped; a report is shorter, as is a request.
            let got = match reads {
                true => open.read_raw(page, 4096, 0),
                false => open.write_raw(page, text.len()),
            };
            // Nothing may have to be copied at all.
            if text.is_empty() || (reads && report.is_empty()) {
                // SAFETY: The page is mapped.
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
