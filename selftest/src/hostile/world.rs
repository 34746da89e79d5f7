// SPDX-License-Identifier: GPL-2.0

//! Whom requests name, and what they may be answered.

use std::io;

use fastrand::Rng;

use super::part::Part;
use super::tally::Tally;
use super::victim;
use crate::knobs;
use crate::observe::mthp;
use crate::sys::{self, End};
use crate::trigger::{Path, Request};

/// How many victims there are.
const VICTIMS: usize = 3;
/// No pid is as large.
pub const NO_PID: i32 = 1 << 23;

/// What is documented, without what only a signal or a malformed request gives.
pub const ANY: &[i32] = &[
    0,
    libc::ESRCH,
    libc::ENOENT,
    libc::EOPNOTSUPP,
    libc::EBUSY,
    libc::ENOSPC,
];
const NO_PROCESS: &[i32] = &[libc::ESRCH];
const NOTHING: &[i32] = &[libc::ENOENT];
const FOREIGN: &[i32] = &[libc::EOPNOTSUPP];
const HELD: &[i32] = &[libc::EBUSY];
/// In swap already, or somebody else is at it.
const FOLIO: &[i32] = &[0, libc::ENOENT, libc::EBUSY, libc::ENOSPC];

/// The processes.
pub struct World {
    victims: Vec<i32>,
    zombie: i32,
    /// A process that waits for its vforked child, which uses its memory.
    vforker: i32,
    vforked: i32,
    huge: bool,
}

impl World {
    /// Starts them all.
    pub fn new(seed: u64, tally: &'static Tally) -> io::Result<Self> {
        knobs::only_folios_of(mthp::sizes().contains(&64).then_some(64))?;
        let huge = Part::Huge.len() == sys::page_size() << mthp::pmd_order()
            && victim::reserve_huge(VICTIMS);
        victim::map_shared()?;
        let file = victim::file()?;
        let (mut ready, done) = sys::pipe()?;
        let mut victims = Vec::new();
        for n in 0..VICTIMS {
            match sys::fork()? {
                None => victim::run(seed + n as u64, &file, huge, tally, || {
                    let _ = io::Write::write(&mut &done, b"r");
                }),
                Some(pid) => victims.push(pid),
            }
        }
        drop(done);
        io::Read::read_exact(&mut ready, &mut [0; VICTIMS])?;
        let Some(zombie) = sys::fork()? else {
            sys::exit_now(0)
        };
        sys::wait_for_zombie(zombie)?;
        let (vforker, vforked) = vfork()?;
        Ok(World {
            victims,
            zombie,
            vforker,
            vforked,
            huge,
        })
    }

    /// Waits for all of them: those that did not end well.
    pub fn end(&self) -> io::Result<Vec<(i32, Option<End>)>> {
        sys::kill(self.vforked);
        sys::kill(self.vforker);
        sys::wait(self.vforker, true)?;
        sys::wait(self.zombie, true)?;
        let mut bad = Vec::new();
        for pid in &self.victims {
            let end = sys::wait(*pid, true)?;
            if end != Some(End::Code(0)) {
                bad.push((*pid, end));
            }
        }
        Ok(bad)
    }

    /// A victim.
    pub fn victim(&self, rng: &mut Rng) -> i32 {
        *rng.choice(&self.victims).expect("there are some")
    }

    /// A request that makes sense, or might.
    pub fn aim(&self, rng: &mut Rng) -> Request {
        let pid = match rng.u32(..16) {
            0..10 => self.victim(rng),
            10 => self.zombie,
            11 => *rng.choice(&[self.vforker, self.vforked]).expect("two"),
            12 => std::process::id() as i32,
            13 => *rng.choice(&[1, 2, 2, 2]).expect("some"),
            14 => NO_PID + rng.i32(0..1 << 20),
            _ => i32::MAX - rng.i32(0..2),
        };
        let address = match rng.u32(..16) {
            0..11 => {
                let part = *rng.choice(&Part::ALL).expect("there are some");
                part.address() + rng.u64(..part.len() as u64)
            }
            _ => odd_address(rng),
        };
        let len = (rng.u32(..8) == 0).then(|| match rng.u32(..256) {
            0 => 1 << rng.u32(20..47),
            1..128 => 1 + rng.u64(..1 << 14),
            _ => 4096 << rng.u32(..5),
        });
        Request {
            pid,
            address,
            len: len.filter(|len| address.checked_add(*len).is_some()),
            path: *rng.choice(&Path::BOTH).expect("two"),
            reclaim: rng.bool(),
        }
    }

    /// What a well-formed request may be answered.
    pub fn answers(&self, request: &Request) -> &'static [i32] {
        if request.pid >= NO_PID || request.pid == self.zombie || request.pid == 2 {
            return NO_PROCESS;
        }
        // Other processes than the victims do what they want with their memory.
        if !self.victims.contains(&request.pid) {
            return ANY;
        }
        if is_nowhere(request) {
            return NOTHING;
        }
        let last = request.address + request.len.unwrap_or(1).saturating_sub(1);
        match (Part::of(request.address), request.len) {
            (Some(Part::Untouched), Some(_)) if Part::of(last) == Some(Part::Untouched) => NOTHING,
            (_, Some(_)) => ANY,
            (Some(Part::Large | Part::Small | Part::Shared | Part::Hidden), _) => FOLIO,
            (Some(Part::File | Part::Shmem | Part::Zero), _) => FOREIGN,
            (Some(Part::Huge), _) if self.huge => FOREIGN,
            (Some(Part::Huge | Part::Untouched), _) => NOTHING,
            (Some(Part::Locked), _) => HELD,
            (None, _) if request.address < sys::page_size() as u64 => NOTHING,
            (None, _) => ANY,
        }
    }
}

/// Whether the request begins where no process has memory: above all user addresses of 48 bits,
/// or in the hole below the kernel's.
fn is_nowhere(request: &Request) -> bool {
    // An amd64 process may have a [vsyscall] page up there.
    const VSYSCALL: u64 = 0xffff_ffff_ff60_0000;
    let end = request.address.saturating_add(request.len.unwrap_or(1));
    let apart = end <= VSYSCALL || request.address >= VSYSCALL + 0x1000;
    request.address >= 1 << 48 && apart
}

fn odd_address(rng: &mut Rng) -> u64 {
    let border = 1u64 << rng.u32(12..64);
    match rng.u32(..8) {
        0 => 0,
        1 => border,
        2 => border.wrapping_sub(1 + rng.u64(..4097)),
        3 => u64::MAX - rng.u64(..8192),
        4 => 0xffff_8000_0000_0000 + rng.u64(..1 << 40),
        // A variable on the stack, and the program itself.
        5 => &border as *const u64 as u64,
        6 => odd_address as *const () as u64,
        _ => rng.u64(..),
    }
}

/// A process that waits for a child in its own memory, and the child.
fn vfork() -> io::Result<(i32, i32)> {
    let cell = Box::leak(Box::new(sys::Shared::new(8)?)).address() as *mut i32;
    match sys::fork()? {
        Some(pid) => loop {
            // SAFETY: The cell is mapped for good, and shared with the child that writes to it.
            match unsafe { cell.read_volatile() } {
                0 => std::thread::sleep(std::time::Duration::from_millis(1)),
                child => return Ok((pid, child)),
            }
        },
        None => {
            sys::die_with_parent();
            let flags = (libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD) as libc::c_long;
            // SAFETY: The parent stays in the call as long as the child lives, and is killed
            // together with it, so nobody sees what the child does to their stack.
            unsafe {
                if libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) == 0 {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    cell.write_volatile(libc::syscall(libc::SYS_getpid) as i32);
                    loop {
                        libc::pause();
                    }
                }
            }
            sys::exit_now(1)
        }
    }
}
