// SPDX-License-Identifier: GPL-2.0

//! Commands and answers, of fixed size: a subject must not allocate to understand one.

use std::io;
use std::mem::size_of;

/// What to do.
#[derive(Clone, Copy, Debug)]
#[repr(u64)]
pub enum Op {
    /// A system call: number and six arguments.
    Syscall,
    /// Write a pattern: address, length, seed.
    Fill,
    /// Compare with a pattern: address, length, seed, the address where it was written.
    Compare,
    /// Read a byte: address.
    Peek,
    /// Write a byte: address, value.
    Poke,
    /// Tell the page faults taken.
    Faults,
    /// Populate memory: where the list of [`Populate`] is, and how many there are.
    Populate,
    /// Write tags of a pattern: address, length, seed.
    Tag,
    /// Compare tags with a pattern: address, length, seed.
    CompareTags,
    /// Lock and unlock memory: address, length, how often.
    ToggleMlock,
    /// Fork a subject: its channel.
    Fork,
    /// Exit.
    Exit,
}

/// A command.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Request {
    /// What to do.
    pub op: Op,
    /// With what.
    pub args: [u64; 7],
}

/// A part of memory to populate, and the advice to `madvise(2)` that does it.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Populate {
    /// Its first byte.
    pub start: u64,
    /// Its length.
    pub len: u64,
    /// `MADV_POPULATE_READ` or `MADV_POPULATE_WRITE`.
    pub advice: u64,
}

/// An answer.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Reply {
    /// The value asked for.
    pub value: u64,
    /// The second value, where there are two.
    pub more: u64,
}

/// Sends a message.
pub fn send<T: Copy>(fd: i32, message: &T) -> io::Result<()> {
    // SAFETY: `message` is `size_of::<T>()` readable bytes; both types here are made of `u64`.
    let sent = unsafe { libc::send(fd, (message as *const T).cast(), size_of::<T>(), 0) };
    match sent == size_of::<T>() as isize {
        true => Ok(()),
        false => Err(io::Error::last_os_error()),
    }
}

/// Receives a message; `UnexpectedEof` when the other side is gone, `WouldBlock` when the socket has a
/// time limit and it is over.
pub fn receive<T: Copy>(fd: i32) -> io::Result<T> {
    let mut message = std::mem::MaybeUninit::<T>::uninit();
    // SAFETY: There is room for `size_of::<T>()` bytes.
    let got = unsafe { libc::recv(fd, message.as_mut_ptr().cast(), size_of::<T>(), 0) };
    match got == size_of::<T>() as isize {
        // SAFETY: Messages are whole (SOCK_SEQPACKET), and the other side is this program: what is as
        // long as a `T` was sent as one.
        true => Ok(unsafe { message.assume_init() }),
        false if got < 0 => Err(io::Error::last_os_error()),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
