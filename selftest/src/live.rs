// SPDX-License-Identifier: GPL-2.0

//! The module's switch for the kernel's own reclaim.

use std::fs::OpenOptions;
use std::io::{self, Write};

use crate::sys;
use crate::trigger::{self, Report};
use crate::verdict::{Checks, Stop};

/// The switch.
pub const LIVE: &str = "/sys/kernel/debug/anon_ttu/live";

/// Reads it.
pub fn read() -> io::Result<String> {
    sys::read_text(LIVE)
}

/// Makes one write of these very bytes: 0 or the error number.
pub fn write(bytes: &[u8]) -> io::Result<i32> {
    match OpenOptions::new().write(true).open(LIVE)?.write(bytes) {
        Ok(n) if n == bytes.len() => Ok(0),
        Ok(n) => Err(io::Error::other(format!("short write: {n} bytes"))),
        Err(e) => e.raw_os_error().ok_or(e),
    }
}

/// Switches it.
pub fn set(on: bool) -> Result<(), Stop> {
    let text = if on { "1\n" } else { "0\n" };
    let errno = write(text.as_bytes())?;
    if errno != 0 || read()? != text {
        return Err(Stop::Fail(format!(
            "live={} fails: errno {errno}",
            text.trim()
        )));
    }
    Ok(())
}

/// Whether the kernel says that the function is redirected (`I`). To whom it can tell only if the
/// module has a trampoline of its own, for which there may have been no memory.
pub fn redirected() -> io::Result<bool> {
    let functions = sys::read_text("/sys/kernel/tracing/enabled_functions")?;
    let mut lines = functions.lines();
    Ok(lines.any(|l| l.starts_with("try_to_unmap_one (") && l.contains(" I ")))
}

/// The totals of the module at one time, to see later what was counted since.
pub struct Since(Report);

impl Since {
    /// From now on.
    pub fn now() -> io::Result<Self> {
        trigger::stats().map(Since)
    }

    /// Checks how much each of `keys` has counted.
    pub fn check(&self, checks: &mut Checks, keys: &[(&str, u64)]) -> Result<(), Stop> {
        let now = trigger::stats()?;
        for (key, want) in keys {
            checks.eq(
                &format!("stats {key}"),
                self.difference(&now, key),
                Some(*want),
            );
        }
        Ok(())
    }

    /// How much `key` has counted.
    pub fn moved(&self, key: &str) -> Result<u64, Stop> {
        let moved = self.difference(&trigger::stats()?, key);
        moved.ok_or_else(|| Stop::Fail(format!("stats: no {key}, or it has gone back")))
    }

    fn difference(&self, now: &Report, key: &str) -> Option<u64> {
        now.number(key)?.checked_sub(self.0.number(key)?)
    }
}
