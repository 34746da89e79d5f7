// SPDX-License-Identifier: GPL-2.0

//! What must be over before anything is measured.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::observe::swaps;
use crate::sys;
use crate::verdict::Stop;

/// How many seconds the guest may take to come to rest.
const PATIENCE: usize = 600;

/// Waits until the CPUs have been idle for a second: at first the kernel's threads are at work,
/// the tests of its ciphers above all, and on one CPU that is work in the middle of ours.
pub fn wait() -> Result<(), Stop> {
    for _ in 0..PATIENCE {
        let before = busy_and_idle()?;
        sleep(Duration::from_secs(1));
        let after = busy_and_idle()?;
        let (busy, idle) = (after.0 - before.0, after.1 - before.1);
        if busy * 20 <= idle {
            return Ok(());
        }
    }
    Err(Stop::Fail(format!("not idle after {PATIENCE} s")))
}

/// The clock ticks that all CPUs have worked and rested.
fn busy_and_idle() -> io::Result<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat")?;
    let first = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = first
        .split_whitespace()
        .skip(1)
        .map_while(|n| n.parse().ok())
        .collect();
    match ticks.get(3..5) {
        Some(rest) => {
            let idle = rest.iter().sum();
            Ok((ticks.iter().sum::<u64>() - idle, idle))
        }
        None => Err(io::Error::other(format!("/proc/stat: {first}"))),
    }
}

/// Writes to all of a RAM disk, which gets each page of its memory when it is first written to:
/// from now on a write to swap costs the same wherever it goes.
pub fn fill_ram_disks() -> Result<(), Stop> {
    let block = vec![0xff; 1 << 16];
    for area in swaps::areas()? {
        if !area.path.starts_with("/dev/ram") {
            continue;
        }
        sys::swapoff(&area.path)?;
        let mut disk = OpenOptions::new().write(true).open(&area.path)?;
        let blocks = area.size_kb as usize * 1024 / block.len();
        (0..blocks).try_for_each(|_| disk.write_all(&block))?;
        disk.sync_all()?;
        swaps::make(&area.path, area.size_kb)?;
        sys::swapon(&area.path)?;
    }
    Ok(())
}

/// Works for a while that differs from process to process. On a clock that counts instructions
/// each measurement would else begin at the same distance to a tick of the timer, and one that is
/// hit by it would be hit every time.
pub fn drift() {
    let some = Duration::from_micros(u64::from(std::process::id() % 7) * 600);
    let start = Instant::now();
    while start.elapsed() < some {}
}
