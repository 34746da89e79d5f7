// SPDX-License-Identifier: GPL-2.0

//! An io_uring with one registered buffer: memory under a long-term pin (FOLL_PIN).
//!
//! The test makes the ring, a subject registers the buffer, so that the pinned memory is the
//! subject's. The test can then read and write that memory through the pin.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::subject::Subject;
use crate::sys::{cvt, page_size};
use crate::verdict::Stop;

// include/uapi/linux/io_uring.h
const IORING_OFF_SQ_RING: i64 = 0;
const IORING_OFF_SQES: i64 = 0x1000_0000;
const IORING_FEAT_SINGLE_MMAP: u32 = 1;
const IORING_ENTER_GETEVENTS: u64 = 1;
const IORING_REGISTER_BUFFERS: u64 = 0;
const IORING_UNREGISTER_BUFFERS: u64 = 1;
const IORING_OP_READ_FIXED: u8 = 4;
const IORING_OP_WRITE_FIXED: u8 = 5;
const ENTRIES: u32 = 2;

#[derive(Default)]
#[repr(C)]
struct SqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    flags: u32,
    dropped: u32,
    array: u32,
    resv1: u32,
    user_addr: u64,
}

#[derive(Default)]
#[repr(C)]
struct CqOffsets {
    head: u32,
    tail: u32,
    ring_mask: u32,
    ring_entries: u32,
    overflow: u32,
    cqes: u32,
    flags: u32,
    resv1: u32,
    user_addr: u64,
}

#[derive(Default)]
#[repr(C)]
struct Params {
    sq_entries: u32,
    cq_entries: u32,
    flags: u32,
    sq_thread_cpu: u32,
    sq_thread_idle: u32,
    features: u32,
    wq_fd: u32,
    resv: [u32; 3],
    sq_off: SqOffsets,
    cq_off: CqOffsets,
}

#[derive(Clone, Copy, Default)]
#[repr(C)]
struct Sqe {
    opcode: u8,
    flags: u8,
    ioprio: u16,
    fd: i32,
    off: u64,
    addr: u64,
    len: u32,
    rw_flags: u32,
    user_data: u64,
    buf_index: u16,
    personality: u16,
    splice_fd_in: i32,
    pad: [u64; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Cqe {
    user_data: u64,
    res: i32,
    flags: u32,
}

/// A ring that takes one request at a time.
pub struct Ring {
    fd: OwnedFd,
    params: Params,
    ring: *mut u8,
    sqes: *mut Sqe,
}

impl Ring {
    /// Makes a ring; a skip where the kernel has none.
    pub fn new() -> Result<Self, Stop> {
        let mut params = Params::default();
        // SAFETY: `params` is what the call reads and writes.
        let fd = cvt(unsafe { libc::syscall(libc::SYS_io_uring_setup, ENTRIES, &mut params) })
            .map_err(|e| Stop::Skip(format!("no io_uring: {e}")))?;
        // SAFETY: The call made this descriptor, and nobody else owns it.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as i32) };
        if params.features & IORING_FEAT_SINGLE_MMAP == 0 {
            return Err(Stop::Skip("this io_uring has two ring mappings".into()));
        }
        let sq_len = params.sq_off.array as usize + params.sq_entries as usize * 4;
        let cq_len =
            params.cq_off.cqes as usize + params.cq_entries as usize * std::mem::size_of::<Cqe>();
        let ring = map(&fd, sq_len.max(cq_len), IORING_OFF_SQ_RING)?;
        let sqes_len = params.sq_entries as usize * std::mem::size_of::<Sqe>();
        let sqes = map(&fd, sqes_len, IORING_OFF_SQES)?.cast();
        Ok(Ring {
            fd,
            params,
            ring,
            sqes,
        })
    }

    /// Lets `subject` register `[address, address + len)`, which pins it.
    pub fn pin(&self, subject: &Subject<'_>, address: u64, len: u64) -> Result<(), Stop> {
        let args = [
            self.fd.as_raw_fd() as u64,
            IORING_REGISTER_BUFFERS,
            subject.pass(&[address, len]),
            1,
            0,
            0,
        ];
        subject
            .syscall(libc::SYS_io_uring_register, args)?
            .map(drop)
            .map_err(|e| Stop::Skip(format!("io_uring does not register a buffer: {e}")))
    }

    /// Lets go of the pinned memory.
    pub fn unpin(&self) -> io::Result<()> {
        // SAFETY: This operation takes no memory.
        cvt(unsafe {
            libc::syscall(
                libc::SYS_io_uring_register,
                self.fd.as_raw_fd(),
                IORING_UNREGISTER_BUFFERS,
                ptr::null::<u8>(),
                0,
            )
        })
        .map(drop)
    }

    /// Writes pinned memory to `to`.
    pub fn write_out(&self, to: &File, address: u64, len: u32) -> io::Result<()> {
        self.submit(IORING_OP_WRITE_FIXED, to, address, len)
    }

    /// Reads pinned memory from `from`.
    pub fn read_in(&self, from: &File, address: u64, len: u32) -> io::Result<()> {
        self.submit(IORING_OP_READ_FIXED, from, address, len)
    }

    fn word(&self, offset: u32) -> &AtomicU32 {
        // SAFETY: The kernel named this offset of a word in the ring mapping, which lives as long
        // as `self`; the kernel writes to it too, hence the atomic.
        unsafe { &*self.ring.add(offset as usize).cast() }
    }

    fn submit(&self, opcode: u8, file: &File, address: u64, len: u32) -> io::Result<()> {
        let (sq, cq) = (&self.params.sq_off, &self.params.cq_off);
        let tail = self.word(sq.tail).load(Ordering::Relaxed);
        let index = tail & self.word(sq.ring_mask).load(Ordering::Relaxed);
        let sqe = Sqe {
            opcode,
            fd: file.as_raw_fd(),
            addr: address,
            len,
            ..Sqe::default()
        };
        // SAFETY: `index` is below the number of entries; the kernel reads it after the release of
        // `tail` below only.
        unsafe { self.sqes.add(index as usize).write_volatile(sqe) };
        self.word(sq.array + index * 4)
            .store(index, Ordering::Relaxed);
        self.word(sq.tail)
            .store(tail.wrapping_add(1), Ordering::Release);
        // SAFETY: No memory is passed; the ring's own is mapped.
        cvt(unsafe {
            libc::syscall(
                libc::SYS_io_uring_enter,
                self.fd.as_raw_fd(),
                1,
                1,
                IORING_ENTER_GETEVENTS,
                ptr::null::<u8>(),
                0,
            )
        })?;
        let head = self.word(cq.head).load(Ordering::Relaxed);
        if head == self.word(cq.tail).load(Ordering::Acquire) {
            return Err(io::Error::other("io_uring: no completion"));
        }
        let index = head & self.word(cq.ring_mask).load(Ordering::Relaxed);
        // SAFETY: `index` is below the number of completions, and `head` was below `tail`: the
        // kernel has written this one.
        let cqe: Cqe = unsafe {
            let cqes = self.ring.add(cq.cqes as usize).cast::<Cqe>();
            cqes.add(index as usize).read_volatile()
        };
        self.word(cq.head)
            .store(head.wrapping_add(1), Ordering::Release);
        match cqe.res {
            n if n == len as i32 => Ok(()),
            n if n < 0 => Err(io::Error::from_raw_os_error(-n)),
            n => Err(io::Error::other(format!("io_uring: {n} of {len} bytes"))),
        }
    }
}

fn map(fd: &OwnedFd, len: usize, offset: i64) -> io::Result<*mut u8> {
    // SAFETY: A new mapping at an address of the kernel's choice touches no existing memory.
    let base = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len.next_multiple_of(page_size()),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_POPULATE,
            fd.as_raw_fd(),
            offset,
        )
    };
    match base {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        base => Ok(base.cast()),
    }
}
