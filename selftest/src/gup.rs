// SPDX-License-Identifier: GPL-2.0

//! Long-term pins by the kernel's own test of them (`CONFIG_GUP_TEST`).

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

use crate::ioctl;
use crate::subject::Subject;
use crate::sys::page_size;
use crate::verdict::{lacking, Stop};

const FILE: &str = "/sys/kernel/debug/gup_test";

// mm/gup_test.h
const PIN_LONGTERM_TEST_START: u64 = ioctl::number_read(b'g', 7, 24);
const PIN_LONGTERM_TEST_STOP: u64 = ioctl::number(b'g', 8);
const PIN_LONGTERM_TEST_READ: u64 = ioctl::number_read(b'g', 9, 8);

/// How pages are pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct How {
    /// To be written to.
    pub write: bool,
    /// Without the mmap lock, where that is possible.
    pub fast: bool,
}

/// One range of pinned memory.
pub struct Gup {
    file: File,
}

impl Gup {
    /// To be made before the subjects, who then share it. Fails as [`lacking`] does where the kernel has
    /// none.
    pub fn new() -> Result<Self, Stop> {
        let file = OpenOptions::new().read(true).write(true).open(FILE);
        file.map(|file| Gup { file })
            .map_err(|e| lacking(format!("no CONFIG_GUP_TEST in this kernel: {FILE}: {e}")))
    }

    /// Lets `subject` pin memory of its own.
    pub fn pin(&self, subject: &Subject<'_>, at: u64, len: u64, how: How) -> Result<(), Stop> {
        let flags = u64::from(how.write) | (u64::from(how.fast) << 1);
        let what = subject.pass(&[at, len, flags]);
        let fd = self.file.as_raw_fd() as u64;
        subject.syscall(
            libc::SYS_ioctl,
            [fd, PIN_LONGTERM_TEST_START, what, 0, 0, 0],
        )??;
        Ok(())
    }

    /// Lets go of the memory.
    pub fn unpin(&self) -> io::Result<()> {
        ioctl::ioctl(&self.file, PIN_LONGTERM_TEST_STOP, &mut [])
    }

    /// Reads `pages` pages, all that are pinned.
    pub fn read(&self, pages: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; pages * page_size()];
        let to = bytes.as_mut_ptr() as u64;
        // The kernel writes there what is pinned: no more than there is room for.
        ioctl::ioctl(&self.file, PIN_LONGTERM_TEST_READ, &mut [to])?;
        Ok(bytes)
    }
}
