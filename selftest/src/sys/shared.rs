// SPDX-License-Identifier: GPL-2.0

//! Memory of several processes.

use std::io;

/// Memory shared by this process and all that it forks later, at the same address in each.
pub struct Shared {
    base: *mut u8,
    len: usize,
}

impl Shared {
    /// Maps `len` bytes of it.
    pub fn new(len: usize) -> io::Result<Self> {
        // SAFETY: A new mapping at an address of the kernel's choice touches no existing memory.
        let base = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        match base {
            libc::MAP_FAILED => Err(io::Error::last_os_error()),
            base => Ok(Shared {
                base: base.cast(),
                len,
            }),
        }
    }

    /// Its address, the same in all processes.
    pub fn address(&self) -> u64 {
        self.base as u64
    }

    /// Copies `bytes` to `offset`, and returns their address.
    pub fn put(&self, offset: usize, bytes: &[u8]) -> u64 {
        assert!(offset + bytes.len() <= self.len);
        // SAFETY: The range lies in the mapping (checked above); the other processes wait for a
        // command while we write.
        unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.base.add(offset), bytes.len());
        }
        self.address() + offset as u64
    }

    /// Copies `len` bytes from `offset`.
    pub fn get(&self, offset: usize, len: usize) -> Vec<u8> {
        assert!(offset + len <= self.len);
        let mut bytes = vec![0; len];
        // SAFETY: As in `put()`.
        unsafe {
            std::ptr::copy_nonoverlapping(self.base.add(offset), bytes.as_mut_ptr(), len);
        }
        bytes
    }
}
