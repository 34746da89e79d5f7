// SPDX-License-Identifier: GPL-2.0

//! Failures that the kernel, or the module, is told to have
//! (Documentation/fault-injection/fault-injection.rst).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::knobs;
use crate::verdict::{lacking, Stop};

mod now_and_then;

pub use now_and_then::NowAndThen;

const DEBUGFS: &str = "/sys/kernel/debug";
const MODULE: &str = "/sys/kernel/debug/anon_ttu";

/// More failures than there will ever be.
const PLENTY: u64 = 1_000_000_000;

/// Why a kernel cannot.
const NONE: &str = "this kernel injects no faults (no CONFIG_FAULT_INJECTION_DEBUG_FS)";

/// A place that can be made to fail. It does not fail any more when this is dropped.
pub struct Fault {
    dir: PathBuf,
}

impl Fault {
    /// A place in the module, by the name of its folder. Fails as [`lacking`] does where the kernel
    /// injects no faults.
    pub fn of_module(name: &str) -> Result<Self, Stop> {
        let dir = Path::new(MODULE).join(name);
        let fault = Fault { dir };
        match (fault.dir.exists(), possible()) {
            (true, _) => Ok(fault),
            (false, false) => Err(lacking(NONE)),
            (false, true) => Err(Stop::Fail(format!("there is no {}", fault.dir.display()))),
        }
    }

    /// A place in the kernel.
    pub fn of_kernel(name: &str) -> Result<Self, Stop> {
        match possible() {
            true => Ok(Fault {
                dir: Path::new(DEBUGFS).join(name),
            }),
            false => Err(lacking(NONE)),
        }
    }

    /// Changes what decides when it fails.
    pub fn set(&self, file: &str, value: i64) -> Result<(), Stop> {
        Ok(knobs::write(self.dir.join(file), &value.to_string())?)
    }

    /// From now on, `times` calls fail (without end if negative), each with a probability of
    /// `percent`, but not before `passes` calls have passed.
    pub fn arm(&self, passes: u64, times: i64, percent: i64) -> Result<(), Stop> {
        // A stack in the kernel's log is what tests take for a complaint.
        self.set("verbose", 0)?;
        self.set("interval", 1)?;
        // The call at which no space is left, of which each takes one, fails.
        self.set("space", passes as i64 + 1)?;
        self.set("times", times)?;
        self.set("probability", percent)
    }

    /// Has the call after `passes` others fail, and no other.
    pub fn once_after(&self, passes: u64) -> Result<(), Stop> {
        self.arm(passes, 1, 100)
    }

    /// Has all calls after `passes` others fail.
    pub fn all_after(&self, passes: u64) -> Result<(), Stop> {
        self.arm(passes, PLENTY as i64, 100)
    }

    /// How many calls have failed since [`Fault::all_after`].
    pub fn failures(&self) -> Result<u64, Stop> {
        let left = knobs::read(self.dir.join("times"))?;
        let left: u64 = left.parse().map_err(std::io::Error::other)?;
        Ok(PLENTY.saturating_sub(left))
    }

    /// Has no call fail any more; true if the one that [`Fault::once_after`] speaks of has failed.
    pub fn disarm(&self) -> Result<bool, Stop> {
        self.set("probability", 0)?;
        self.has_failed()
    }

    /// Whether the call that [`Fault::once_after`] speaks of has failed.
    pub fn has_failed(&self) -> Result<bool, Stop> {
        Ok(knobs::read(self.dir.join("times"))? == "0")
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        let _ = self.set("probability", 0);
    }
}

/// Whether the kernel can inject faults at all.
pub fn possible() -> bool {
    Path::new(DEBUGFS).join("failslab/probability").exists()
}

/// The places that the module has.
pub fn of_module() -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(MODULE)? {
        let entry = entry?;
        if entry.path().join("probability").exists() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Has the n-th place that this thread comes to fail, whichever it is: one in the module, an
/// allocation of memory.
pub struct Nth {
    file: File,
    _slab: Fault,
    _pages: Fault,
}

impl Nth {
    /// Includes all allocations, also those that could wait for memory.
    pub fn new() -> Result<Self, Stop> {
        let (slab, pages) = (
            Fault::of_kernel("failslab")?,
            Fault::of_kernel("fail_page_alloc")?,
        );
        for fault in [&slab, &pages] {
            fault.set("verbose", 0)?;
            knobs::write(fault.dir.join("ignore-gfp-wait"), "N")?;
        }
        knobs::write(pages.dir.join("ignore-gfp-highmem"), "N")?;
        pages.set("min-order", 0)?;
        for name in of_module()? {
            Fault::of_module(&name)?.set("verbose", 0)?;
        }
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .open("/proc/thread-self/fail-nth")?;
        Ok(Nth {
            file,
            _slab: slab,
            _pages: pages,
        })
    }

    /// Does something in which place number `n` fails, counted from 1; also says whether it came
    /// to there.
    pub fn during<T>(&self, n: u64, what: impl FnOnce() -> T) -> io::Result<(T, bool)> {
        let (done, left) = self.left_of(n, what)?;
        Ok((done, left == 0))
    }

    /// Does something, and also says to how many places it came. None of them fails.
    pub fn count<T>(&self, what: impl FnOnce() -> T) -> io::Result<(T, u64)> {
        const MANY: u64 = 1_000_000;
        let (done, left) = self.left_of(MANY, what)?;
        Ok((done, MANY - left))
    }

    fn left_of<T>(&self, n: u64, what: impl FnOnce() -> T) -> io::Result<(T, u64)> {
        let mut left = [0; 24];
        self.file.write_all_at(n.to_string().as_bytes(), 0)?;
        let done = what();
        let len = self.file.read_at(&mut left, 0)?;
        self.file.write_all_at(b"0", 0)?;
        let left = String::from_utf8_lossy(&left[..len]);
        Ok((done, left.trim().parse().map_err(io::Error::other)?))
    }
}

impl Drop for Nth {
    fn drop(&mut self) {
        let _ = self.file.write_all_at(b"0", 0);
    }
}
