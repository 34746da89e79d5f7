// SPDX-License-Identifier: GPL-2.0

//! The processes whose memory is unmapped.
//!
//! A test never touches such memory itself: it tells a subject, over a socket, which system call
//! to make or which bytes to write and compare. Between two commands a subject sleeps and uses no
//! memory, so its counters are exact. All subjects are children of the test, also those that
//! another subject forked.

mod calls;
pub mod compared;
mod message;
mod serve;
mod tags;

use std::cell::Cell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::observe::smaps::{self, Vma};
use crate::sys::{self, End, Shared};
use crate::verdict::Stop;
use message::{Op, Reply, Request};

pub use serve::pattern_byte;

/// How long a subject may take for one command.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often meanwhile it is looked whether it still lives.
const LOOK: Duration = Duration::from_millis(100);
/// Room for arguments and data that pass between the test and its subjects.
const SCRATCH_LEN: usize = 64 << 10;
/// Where in it the lists of memory to populate are.
const LISTS_AT: usize = SCRATCH_LEN - (4 << 10);

/// The makings of the subjects of one test: a channel for each, and memory shared with all.
pub struct Family {
    near: Vec<OwnedFd>,
    far: Vec<OwnedFd>,
    used: Cell<usize>,
    /// The control group that they are in, if they have one of their own.
    pub cgroup: Option<Cgroup>,
    /// Memory that the test and all subjects share, at the same address.
    pub scratch: Shared,
}

/// Page faults of a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Without a read from a device.
    pub minor: u64,
    /// With one.
    pub major: u64,
}

/// A process that does what it is told.
pub struct Subject<'f> {
    family: &'f Family,
    channel: usize,
    own: Vec<Vma>,
    /// Its process id.
    pub pid: i32,
}

impl Family {
    /// Prepares for at most `size` subjects.
    pub fn new(size: usize) -> io::Result<Self> {
        let pairs: Vec<_> = (0..size)
            .map(|_| sys::socket_pair())
            .collect::<io::Result<_>>()?;
        let (near, far): (Vec<OwnedFd>, _) = pairs.into_iter().unzip();
        near.iter().try_for_each(|fd| sys::wait_at_most(fd, LOOK))?;
        Ok(Family {
            near,
            far,
            used: Cell::new(0),
            cgroup: None,
            scratch: Shared::new(SCRATCH_LEN)?,
        })
    }

    /// As `new()`, with a control group for them.
    pub fn in_cgroup(size: usize, exact: bool) -> io::Result<Self> {
        let mut family = Self::new(size)?;
        family.cgroup = Some(Cgroup::new(exact)?);
        Ok(family)
    }

    fn next_channel(&self) -> usize {
        let channel = self.used.get();
        assert!(channel < self.near.len(), "family too small");
        self.used.set(channel + 1);
        channel
    }

    /// Starts a subject.
    pub fn spawn(&self) -> Result<Subject<'_>, Stop> {
        let channel = self.next_channel();
        match sys::fork()? {
            None => {
                let far: Vec<i32> = self.far.iter().map(AsRawFd::as_raw_fd).collect();
                serve::serve(&far, channel)
            }
            Some(pid) => {
                let subject = Subject {
                    family: self,
                    channel,
                    own: smaps::vmas(pid)?,
                    pid,
                };
                if let Some(cgroup) = &self.cgroup {
                    cgroup.add(pid)?;
                }
                subject.settle()?;
                Ok(subject)
            }
        }
    }
}

impl<'f> Subject<'f> {
    fn call(&self, op: Op, args: [u64; 7]) -> Result<Reply, Stop> {
        self.begin(op, args)?;
        self.end(op)
    }

    fn begin(&self, op: Op, args: [u64; 7]) -> Result<(), Stop> {
        let socket = &self.family.near[self.channel];
        Ok(message::send(socket.as_raw_fd(), &Request { op, args })?)
    }

    fn end(&self, op: Op) -> Result<Reply, Stop> {
        let socket = &self.family.near[self.channel];
        let lost = |what: &str| Stop::Fail(format!("subject {}: {op:?}: {what}", self.pid));
        for _ in 0..PATIENCE.as_millis() / LOOK.as_millis() {
            match message::receive(socket.as_raw_fd()) {
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                answer => return answer.map_err(|_| lost("no answer")),
            }
            if let Some(end) = sys::wait(self.pid, false)? {
                return Err(lost(&format!("died: {end:?}")));
            }
        }
        Err(lost("no answer in time"))
    }

    /// Gives it all the memory that it will ever need for itself, so that from now on each fault
    /// it takes and each page it gains or loses is the test's doing.
    ///
    /// That is not only what its own code touches: the kernel writes to a registered rseq area
    /// when it moves the process to another CPU.
    pub fn settle(&self) -> Result<(), Stop> {
        let mut list = Vec::new();
        for vma in &self.own {
            let advice = match vma.writable {
                true => libc::MADV_POPULATE_WRITE,
                false => libc::MADV_POPULATE_READ,
            };
            for word in [vma.start, vma.end - vma.start, advice as u64] {
                list.extend(word.to_ne_bytes());
            }
        }
        let at = self.family.scratch.put(LISTS_AT, &list);
        let args = [at, self.own.len() as u64, 0, 0, 0, 0, 0];
        self.call(Op::Populate, args)?;
        self.faults().map(drop)
    }

    /// The control group of its family.
    pub fn cgroup(&self) -> Option<&'f Cgroup> {
        self.family.cgroup.as_ref()
    }

    /// Copies bytes to where the subject sees them too, and returns their address. The next call
    /// overwrites them.
    pub fn pass(&self, words: &[u64]) -> u64 {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_ne_bytes()).collect();
        self.family.scratch.put(0, &bytes)
    }

    /// Reads words that a system call has written to where [`Subject::pass`] has put some.
    pub fn passed(&self, words: usize) -> Vec<u64> {
        let bytes = self.family.scratch.get(0, words * 8);
        let words = bytes.chunks_exact(8);
        words
            .map(|w| u64::from_ne_bytes(w.try_into().unwrap_or_default()))
            .collect()
    }

    /// Writes the pattern of `seed` to every byte.
    pub fn fill(&self, address: u64, len: u64, seed: u64) -> Result<(), Stop> {
        self.call(Op::Fill, [address, len, seed, 0, 0, 0, 0])
            .map(drop)
    }

    /// Compares every byte with the pattern of `seed`: the first address that differs.
    pub fn compare(&self, address: u64, len: u64, seed: u64) -> Result<Option<u64>, Stop> {
        self.compare_moved(address, len, seed, address)
    }

    /// As `compare()`, of what was written at the address `origin` and moved since.
    pub fn compare_moved(
        &self,
        address: u64,
        len: u64,
        seed: u64,
        origin: u64,
    ) -> Result<Option<u64>, Stop> {
        let reply = self.call(Op::Compare, [address, len, seed, origin, 0, 0, 0])?;
        compared::add(len);
        Ok((reply.value != 0).then_some(reply.value))
    }

    /// Tags memory with a pattern.
    pub fn tag(&self, address: u64, len: u64, seed: u64) -> Result<(), Stop> {
        self.call(Op::Tag, [address, len, seed, 0, 0, 0, 0])
            .map(drop)
    }

    /// Compares tags with a pattern: the first address whose tag differs.
    pub fn compare_tags(&self, address: u64, len: u64, seed: u64) -> Result<Option<u64>, Stop> {
        let reply = self.call(Op::CompareTags, [address, len, seed, 0, 0, 0, 0])?;
        Ok((reply.value != 0).then_some(reply.value))
    }

    /// Reads one byte.
    pub fn peek(&self, address: u64) -> Result<u8, Stop> {
        Ok(self.call(Op::Peek, [address, 0, 0, 0, 0, 0, 0])?.value as u8)
    }

    /// Writes one byte.
    pub fn poke(&self, address: u64, byte: u8) -> Result<(), Stop> {
        self.call(Op::Poke, [address, byte.into(), 0, 0, 0, 0, 0])
            .map(drop)
    }

    /// The faults this process has taken.
    pub fn faults(&self) -> Result<Faults, Stop> {
        let reply = self.call(Op::Faults, [0; 7])?;
        Ok(Faults {
            minor: reply.value,
            major: reply.more,
        })
    }

    /// Makes a copy of this process.
    pub fn fork(&self) -> Result<Subject<'f>, Stop> {
        let channel = self.family.next_channel();
        let reply = self.call(Op::Fork, [channel as u64, 0, 0, 0, 0, 0, 0])?;
        match reply.value as i64 {
            errno @ i64::MIN..=-1 => Err(Stop::Fail(format!(
                "fork: {}",
                io::Error::from_raw_os_error(-errno as i32)
            ))),
            pid => {
                let child = Subject {
                    family: self.family,
                    channel,
                    own: self.own.clone(),
                    pid: pid as i32,
                };
                child.settle()?;
                self.settle()?;
                Ok(child)
            }
        }
    }

    /// Tells it to exit, and leaves a zombie until the subject is dropped.
    pub fn become_zombie(&self) -> Result<(), Stop> {
        let request = Request {
            op: Op::Exit,
            args: [0; 7],
        };
        message::send(self.family.near[self.channel].as_raw_fd(), &request)?;
        Ok(sys::wait_for_zombie(self.pid)?)
    }

    /// Tells it to exit, and waits until it is gone.
    pub fn exit(self) -> Result<(), Stop> {
        self.become_zombie()?;
        match sys::wait(self.pid, true)? {
            Some(End::Code(0)) => Ok(()),
            end => Err(Stop::Fail(format!("subject {}: ended: {end:?}", self.pid))),
        }
    }
}

impl Drop for Subject<'_> {
    fn drop(&mut self) {
        // Whoever exited and was waited for is no child any more, and then this does nothing: no
        // other process is forked between the two.
        if let Ok(None) = sys::wait(self.pid, false) {
            sys::kill(self.pid);
            let _ = sys::wait(self.pid, true);
        }
    }
}
