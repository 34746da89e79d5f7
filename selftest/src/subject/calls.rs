// SPDX-License-Identifier: GPL-2.0

//! System calls that a subject makes on its own memory.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::message::Op;
use super::Subject;
use crate::verdict::Stop;

impl Subject<'_> {
    /// Allows or forbids large folios to this process, khugepaged's included.
    pub fn large_folios(&self, allow: bool) -> Result<(), Stop> {
        let args = [
            libc::PR_SET_THP_DISABLE as u64,
            u64::from(!allow),
            0,
            0,
            0,
            0,
        ];
        self.must("prctl", libc::SYS_prctl, args).map(drop)
    }

    /// Makes a system call; the kernel's error is an `io::Error`.
    pub fn syscall(&self, nr: i64, args: [u64; 6]) -> Result<io::Result<u64>, Stop> {
        let [a, b, c, d, e, f] = args;
        let reply = self.call(Op::Syscall, [nr as u64, a, b, c, d, e, f])?;
        Ok(match reply.value as i64 {
            errno @ -4095..=-1 => Err(io::Error::from_raw_os_error(-errno as i32)),
            value => Ok(value as u64),
        })
    }

    /// Begins to mlock and munlock a range, `times` times; [`Subject::toggled`] waits for the end.
    pub fn toggle_mlock(&self, address: u64, len: u64, times: u64) -> Result<(), Stop> {
        self.begin(Op::ToggleMlock, [address, len, times, 0, 0, 0, 0])
    }

    /// Waits until [`Subject::toggle_mlock`] is done.
    pub fn toggled(&self) -> Result<(), Stop> {
        match self.end(Op::ToggleMlock)?.value {
            0 => Ok(()),
            failed => Err(Stop::Fail(format!("{failed} calls of mlock failed"))),
        }
    }

    fn must(&self, what: &str, nr: i64, args: [u64; 6]) -> Result<u64, Stop> {
        self.syscall(nr, args)?
            .map_err(|e| Stop::Fail(format!("{what}: {e}")))
    }

    /// Maps memory of any kind.
    pub fn map(&self, len: u64, prot: i32, flags: i32, fd: i32) -> Result<u64, Stop> {
        let args = [0, len, prot as u64, flags as u64, fd as i64 as u64, 0];
        self.must("mmap", libc::SYS_mmap, args)
    }

    /// Moves mapped memory to an address where something else is mapped.
    pub fn remap(&self, address: u64, len: u64, to: u64) -> Result<(), Stop> {
        let flags = (libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED) as u64;
        let args = [address, len, len, flags, to, 0];
        self.must("mremap", libc::SYS_mremap, args).map(drop)
    }

    /// Mlocks memory without touching it: `mlock(2)` would write to its pages.
    pub fn mlock(&self, address: u64, len: u64) -> Result<(), Stop> {
        // include/uapi/asm-generic/mman.h
        const MLOCK_ONFAULT: u64 = 1;
        let args = [address, len, MLOCK_ONFAULT, 0, 0, 0];
        self.syscall(libc::SYS_mlock2, args)?
            .map(drop)
            .map_err(|e| Stop::Skip(format!("mlock2: {e}")))
    }

    /// `munlock(2)`, which must succeed.
    pub fn munlock(&self, address: u64, len: u64) -> Result<(), Stop> {
        let args = [address, len, 0, 0, 0, 0];
        self.must("munlock", libc::SYS_munlock, args).map(drop)
    }

    /// Puts memory into a pipe by reference: its page gets one more.
    pub fn splice(&self, address: u64, len: u64, pipe: &File) -> Result<(), Stop> {
        let iovec = self.pass(&[address, len]);
        let args = [pipe.as_raw_fd() as u64, iovec, 1, 0, 0, 0];
        self.syscall(libc::SYS_vmsplice, args)?
            .map(drop)
            .map_err(|e| Stop::Skip(format!("vmsplice: {e}")))
    }

    /// Unmaps memory.
    pub fn unmap(&self, address: u64, len: u64) -> Result<(), Stop> {
        self.must("munmap", libc::SYS_munmap, [address, len, 0, 0, 0, 0])
            .map(drop)
    }

    /// `madvise(2)`, which must succeed.
    pub fn madvise(&self, address: u64, len: u64, advice: i32) -> Result<(), Stop> {
        let args = [address, len, advice as u64, 0, 0, 0];
        self.must(&format!("madvise({advice})"), libc::SYS_madvise, args)
            .map(drop)
    }

    /// `mprotect(2)`, which must succeed.
    pub fn protect(&self, address: u64, len: u64, prot: i32) -> Result<(), Stop> {
        let args = [address, len, prot as u64, 0, 0, 0];
        self.must("mprotect", libc::SYS_mprotect, args).map(drop)
    }
}
