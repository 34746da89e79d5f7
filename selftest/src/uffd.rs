// SPDX-License-Identifier: GPL-2.0

//! userfaultfd write protection of a subject's memory.

use crate::subject::Subject;
use crate::verdict::Stop;

// include/uapi/linux/userfaultfd.h
pub(crate) const UFFD_API: u64 = 0xaa;
pub(crate) const UFFDIO_API: u64 = 0xc018_aa3f;
pub(crate) const UFFDIO_REGISTER: u64 = 0xc020_aa00;
const UFFDIO_WRITEPROTECT: u64 = 0xc018_aa06;
const UFFDIO_REGISTER_MODE_WP: u64 = 2;
const UFFDIO_WRITEPROTECT_MODE_WP: u64 = 1;
/// The bit of `UFFDIO_WRITEPROTECT` in what a registration allows.
const IOCTL_WRITEPROTECT: u64 = 1 << 6;

/// A userfaultfd of a subject, open until the subject exits.
#[derive(Clone, Copy)]
pub struct Uffd {
    fd: u64,
}

impl Uffd {
    /// Registers memory of a subject for write protection.
    pub fn register(subject: &Subject<'_>, address: u64, len: u64) -> Result<Self, Stop> {
        let uffd = Self::open(subject)?;
        uffd.add(subject, address, len)?;
        Ok(uffd)
    }

    /// Opens one that has no memory yet.
    pub fn open(subject: &Subject<'_>) -> Result<Self, Stop> {
        let no = |e: std::io::Error| Stop::Skip(format!("no userfaultfd: {e}"));
        let flags = libc::O_CLOEXEC as u64;
        let fd = subject.syscall(libc::SYS_userfaultfd, [flags, 0, 0, 0, 0, 0])?;
        let uffd = Uffd {
            fd: fd.map_err(no)?,
        };
        uffd.ioctl(subject, UFFDIO_API, &[UFFD_API, 0, 0])?;
        Ok(uffd)
    }

    /// Registers memory, which may be registered already.
    pub fn add(&self, subject: &Subject<'_>, address: u64, len: u64) -> Result<(), Stop> {
        let words = [address, len, UFFDIO_REGISTER_MODE_WP, 0];
        self.ioctl(subject, UFFDIO_REGISTER, &words)?;
        match subject.passed(4)[3] & IOCTL_WRITEPROTECT {
            0 => Err(Stop::Skip("no write protection by userfaultfd".into())),
            _ => Ok(()),
        }
    }

    /// Write-protects memory, or with `wp` false allows writes again.
    pub fn protect(
        &self,
        subject: &Subject<'_>,
        (address, len): (u64, u64),
        wp: bool,
    ) -> Result<(), Stop> {
        let mode = if wp { UFFDIO_WRITEPROTECT_MODE_WP } else { 0 };
        self.ioctl(subject, UFFDIO_WRITEPROTECT, &[address, len, mode])
    }

    fn ioctl(&self, subject: &Subject<'_>, request: u64, words: &[u64]) -> Result<(), Stop> {
        let args = [self.fd, request, subject.pass(words), 0, 0, 0];
        let done = subject.syscall(libc::SYS_ioctl, args)?;
        done.map(drop)
            .map_err(|e| Stop::Skip(format!("userfaultfd ioctl {request:#x}: {e}")))
    }
}
