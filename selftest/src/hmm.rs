// SPDX-License-Identifier: GPL-2.0

//! A device that uses the memory of a process: the kernel's own test of HMM (`CONFIG_TEST_HMM`).
//!
//! It keeps page table entries of its own, and listens to what becomes of the process's
//! (`mmu_interval_notifier`).

use std::path::Path;
use std::process::Command;

use crate::ioctl;
use crate::shape::bytes;
use crate::subject::{Family, Subject};
use crate::verdict::{lacking, Stop};

const FILE: &str = "/dev/hmm_dmirror0";

// lib/test_hmm_uapi.h
const HMM_DMIRROR_READ: u64 = ioctl::number_both(b'H', 0, 40);
const HMM_DMIRROR_EXCLUSIVE: u64 = ioctl::number_both(b'H', 5, 40);

/// Where in the memory that is shared with subjects the device copies a page to.
const COPY_AT: u64 = 16 << 10;

/// The device, as one subject has opened it.
pub struct Device<'s, 'f> {
    subject: &'s Subject<'f>,
    fd: u64,
    copy: u64,
}

impl<'s, 'f> Device<'s, 'f> {
    /// Has `subject` open it: it mirrors the memory of who does that.
    ///
    /// Fails as [`lacking`] does where the kernel has none.
    pub fn open(family: &'f Family, subject: &'s Subject<'f>) -> Result<Self, Stop> {
        load()?;
        let mut name = [0; 24];
        name[..FILE.len()].copy_from_slice(FILE.as_bytes());
        let words: Vec<_> = name
            .chunks_exact(8)
            .map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()))
            .collect();
        let path = subject.pass(&words);
        let args = [libc::AT_FDCWD as u64, path, libc::O_RDWR as u64, 0, 0, 0];
        Ok(Device {
            subject,
            fd: subject.syscall(libc::SYS_openat, args)??,
            copy: family.scratch.address() + COPY_AT,
        })
    }

    /// Has the device take the page at `at` for itself.
    pub fn take(&self, at: u64) -> Result<(), Stop> {
        self.command(HMM_DMIRROR_EXCLUSIVE, at).map(drop)
    }

    /// Has the device read the page at `at`: whether it holds the pattern of `seed`, and how many
    /// faults the device took, that is how often it had to ask the process for the page.
    pub fn read(&self, at: u64, seed: u64) -> Result<(bool, u64), Stop> {
        let faults = self.command(HMM_DMIRROR_READ, at)?;
        let differs = self.subject.compare_moved(self.copy, bytes(1), seed, at)?;
        Ok((differs.is_none(), faults))
    }

    /// A command (`struct hmm_dmirror_cmd`) for one page: the faults that the device took.
    fn command(&self, number: u64, at: u64) -> Result<u64, Stop> {
        let command = self.subject.pass(&[at, self.copy, 1, 0, 0]);
        let args = [self.fd, number, command, 0, 0, 0];
        self.subject.syscall(libc::SYS_ioctl, args)??;
        Ok(self.subject.passed(5)[4])
    }
}

fn load() -> Result<(), Stop> {
    if !Path::new(FILE).exists() {
        let loaded = Command::new("modprobe").arg("test_hmm").output();
        if !loaded.is_ok_and(|done| done.status.success()) || !Path::new(FILE).exists() {
            return Err(lacking(
                "no module test_hmm for this kernel (CONFIG_TEST_HMM)",
            ));
        }
    }
    Ok(())
}
