// SPDX-License-Identifier: GPL-2.0

//! `ioctl(2)` and the numbers that it takes (include/uapi/asm-generic/ioctl.h).

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use crate::sys::cvt;

/// A number without an argument.
pub const fn number(kind: u8, nr: u64) -> u64 {
    ((kind as u64) << 8) | nr
}

/// A number whose argument is `size` bytes that the kernel reads.
pub const fn number_read(kind: u8, nr: u64, size: u64) -> u64 {
    (1 << 30) | (size << 16) | number(kind, nr)
}

/// A number whose argument is `size` bytes that the kernel reads and writes.
pub const fn number_both(kind: u8, nr: u64, size: u64) -> u64 {
    (2 << 30) | number_read(kind, nr, size)
}

/// Makes the call; of the argument, the kernel reads and writes as much as `number` says.
pub fn ioctl(file: &File, number: u64, argument: &mut [u64]) -> io::Result<()> {
    let fd = file.as_raw_fd();
    assert!(((number >> 16) & 0x3fff) as usize <= size_of_val(argument));
    // SAFETY: There are as many bytes as the number says (checked above).
    cvt(unsafe { libc::syscall(libc::SYS_ioctl, fd, number, argument.as_mut_ptr()) }).map(drop)
}
