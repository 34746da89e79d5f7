// SPDX-License-Identifier: GPL-2.0

//! Direct I/O in flight: a subject reads from a block device into its memory, or writes memory to it,
//! past the page cache, and the limit of a control group has the request wait in the block layer, with
//! the memory pinned (FOLL_PIN).

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::cgroup::Cgroup;
use crate::observe::vmstat;
use crate::subject::Subject;
use crate::sys::{self, page_size};
use crate::verdict::Stop;

/// A RAM disk that holds no swap (qemu/init).
const DEVICE: &str = "/dev/ram1";
const NUMBER: &str = "/sys/block/ram1/dev";
/// In so many seconds a page gets through by itself, so that a test that fails does not wait for
/// a process that cannot end.
const SECONDS: usize = 120;
/// How long memory may stay pinned when the request has ended.
const PATIENCE: Duration = Duration::from_secs(10);

// include/uapi/linux/aio_abi.h: the operations, and the lengths in words of 8 bytes
const IOCB_CMD_PREAD: u64 = 0;
const IOCB_CMD_PWRITE: u64 = 1;
const IOCB: usize = 8;
const IO_EVENT: usize = 4;

/// Which way the data goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the device into memory, which is pinned to be written to.
    Read,
    /// From memory to the device.
    Write,
}

/// A block device that lets nothing through to a control group, until it is dropped.
pub struct SlowDevice<'a> {
    cgroup: &'a Cgroup,
    number: String,
    file: File,
}

impl<'a> SlowDevice<'a> {
    /// To be made before the subjects, who then share the file.
    pub fn new(cgroup: &'a Cgroup) -> Result<Self, Stop> {
        let lacks = |what: &str, e: io::Error| Stop::Skip(format!("{what}: {e}"));
        let number = fs::read_to_string(NUMBER).map_err(|e| lacks(NUMBER, e))?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(libc::O_DIRECT)
            .open(DEVICE)
            .map_err(|e| lacks(DEVICE, e))?;
        let device = SlowDevice {
            cgroup,
            number: number.trim().into(),
            file,
        };
        Cgroup::enable("io")
            .and_then(|()| device.limit(&(page_size() / SECONDS).to_string()))
            .map_err(|e| lacks("no limit of I/O for control groups", e))?;
        Ok(device)
    }

    fn limit(&self, bytes_per_second: &str) -> io::Result<()> {
        let limit = format!(
            "{} rbps={bytes_per_second} wbps={bytes_per_second}",
            self.number
        );
        self.cgroup.set("io.max", &limit)
    }

    /// Lets everything through.
    pub fn release(&self) -> io::Result<()> {
        self.limit("max")
    }

    /// What the device has at its beginning.
    pub fn read(&self, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        File::open(DEVICE)?.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Puts bytes there.
    pub fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(DEVICE)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
}

impl Drop for SlowDevice<'_> {
    fn drop(&mut self) {
        let _ = self.release();
    }
}

/// A request of a subject that has begun.
pub struct InFlight {
    context: u64,
    len: u64,
    /// Pins that there were before it.
    pins: i64,
}

impl InFlight {
    /// Has a subject begin to read or write so much memory.
    pub fn begin(
        device: &SlowDevice<'_>,
        subject: &Subject<'_>,
        way: Way,
        (address, len): (u64, u64),
    ) -> Result<Self, Stop> {
        let pins = pins()?;
        let at = subject.pass(&[0]);
        subject
            .syscall(libc::SYS_io_setup, [1, at, 0, 0, 0, 0])?
            .map_err(|e| Stop::Skip(format!("no asynchronous I/O: {e}")))?;
        let context = subject.passed(1)[0];
        let opcode = match way {
            Way::Read => IOCB_CMD_PREAD,
            Way::Write => IOCB_CMD_PWRITE,
        };
        let fd = device.file.as_raw_fd() as u64;
        let iocb: [u64; IOCB] = [0, 0, opcode | (fd << 32), address, len, 0, 0, 0];
        let mut words = iocb.to_vec();
        words.push(at);
        let at = subject.pass(&words);
        let list = at + 8 * IOCB as u64;
        let begun = subject.syscall(libc::SYS_io_submit, [context, 1, list, 0, 0, 0])??;
        match begun {
            1 => Ok(InFlight { context, len, pins }),
            n => Err(Stop::Fail(format!("io_submit: {n} requests"))),
        }
    }

    /// Whether it has ended; as it should, if it has.
    pub fn ended(&self, subject: &Subject<'_>) -> Result<bool, Stop> {
        self.events(subject, 0)
    }

    /// Waits until it has ended as it should, and memory is not pinned any more: that comes a moment
    /// later (block/fops.c: `blkdev_bio_end_io_async()`).
    pub fn wait(&self, subject: &Subject<'_>) -> Result<(), Stop> {
        self.events(subject, 1)?;
        let begun = Instant::now();
        while pins()? != self.pins {
            if begun.elapsed() > sys::patience(PATIENCE) {
                return Err(Stop::Fail("memory stays pinned after direct I/O".into()));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn events(&self, subject: &Subject<'_>, least: u64) -> Result<bool, Stop> {
        let at = subject.pass(&[0; IO_EVENT + 2]);
        // No time at all, or as much as it takes.
        let limit = if least == 0 {
            at + 8 * IO_EVENT as u64
        } else {
            0
        };
        let args = [self.context, least, 1, at, limit, 0];
        let ended = subject.syscall(libc::SYS_io_getevents, args)??;
        let result = subject.passed(IO_EVENT)[2];
        match (ended, result) {
            (0, _) => Ok(false),
            (1, len) if len == self.len => Ok(true),
            (_, e) => Err(Stop::Fail(format!("direct I/O ended with {}", e as i64))),
        }
    }
}

/// Pages of all processes that are pinned.
fn pins() -> io::Result<i64> {
    Ok(vmstat::summed("nr_foll_pin_acquired")? - vmstat::summed("nr_foll_pin_released")?)
}
