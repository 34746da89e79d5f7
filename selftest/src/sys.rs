// SPDX-License-Identifier: GPL-2.0

//! System calls that the standard library does not have, behind safe functions.

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// The kernel's error of a call, if it says so.
pub fn cvt(ret: i64) -> io::Result<i64> {
    match ret {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

/// The page size of this kernel.
pub fn page_size() -> usize {
    // SAFETY: `sysconf()` has no preconditions.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as usize }
}

/// How many CPUs the machine has, also those that this process keeps away from.
pub fn cpus() -> u64 {
    // SAFETY: `sysconf()` has no preconditions.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) }.max(1) as u64
}

/// Whether the machine has memory tags, and this kernel lets programs use them.
pub fn has_mte() -> bool {
    // arch/arm64/include/uapi/asm/hwcap.h
    const HWCAP2_MTE: u64 = 1 << 18;
    // SAFETY: `getauxval()` has no preconditions.
    cfg!(target_arch = "aarch64") && unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_MTE != 0
}

/// `fork(2)`: `None` in the child, its pid in the parent.
pub fn fork() -> io::Result<Option<i32>> {
    // SAFETY: Where this program has one thread, the child may do whatever the parent may; where
    // it has more, the child allocates nothing.
    let pid = cvt(i64::from(unsafe { libc::fork() }))?;
    Ok((pid != 0).then_some(pid as i32))
}

/// Ends this process at once, without the standard library's exit handlers.
pub fn exit_now(code: i32) -> ! {
    // SAFETY: `_exit()` has no preconditions.
    unsafe { libc::_exit(code) }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// `waitpid(2)`; with `block` false it answers `None` for a process that still runs.
pub fn wait(pid: i32, block: bool) -> io::Result<Option<End>> {
    let mut status = 0;
    let flags = if block { 0 } else { libc::WNOHANG };
    // SAFETY: `status` is a valid place for the answer.
    let got = cvt(i64::from(unsafe { libc::waitpid(pid, &mut status, flags) }))?;
    Ok(match got {
        0 => None,
        _ if libc::WIFSIGNALED(status) => Some(End::Signal(libc::WTERMSIG(status))),
        _ => Some(End::Code(libc::WEXITSTATUS(status))),
    })
}

/// Waits until `pid` is a zombie, and leaves it one.
pub fn wait_for_zombie(pid: i32) -> io::Result<()> {
    // SAFETY: All-zero is a valid `siginfo_t`.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: `info` is a valid place for the answer.
    cvt(i64::from(unsafe {
        libc::waitid(
            libc::P_PID,
            pid as libc::id_t,
            &mut info,
            libc::WEXITED | libc::WNOWAIT,
        )
    }))?;
    Ok(())
}

/// Sends `SIGKILL` to a process, or with a negative number to a process group.
pub fn kill(pid: i32) {
    // SAFETY: `kill()` has no memory preconditions.
    unsafe { libc::kill(pid, libc::SIGKILL) };
}

/// Makes this process the leader of a group of its own.
pub fn own_group() {
    // SAFETY: `setpgid()` has no memory preconditions.
    unsafe { libc::setpgid(0, 0) };
}

/// Asks to be killed when the parent dies.
pub fn die_with_parent() {
    // SAFETY: This operation takes a number only.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
}

/// Stays on the first CPU from now on.
///
/// A CPU may keep a read-only translation of a page that has become writable since: the kernel
/// does not tell it. A process that moves there takes a fault that has nothing to do with what is
/// in the page table, and tests that count faults would see it.
pub fn stay_on_first_cpu() {
    // SAFETY: All-zero is a valid `cpu_set_t`, and the set lives during the call.
    unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut cpus);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cpus);
    }
}

/// Runs on any CPU from now on.
pub fn use_all_cpus() {
    // SAFETY: All-zero is a valid `cpu_set_t`, and the set lives during the call.
    unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        (0..libc::CPU_SETSIZE as usize).for_each(|cpu| libc::CPU_SET(cpu, &mut cpus));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cpus);
    }
}

/// Does something on another CPU than the first, if there is one, and comes back to the first.
pub fn on_another_cpu<T>(what: impl FnOnce() -> T) -> T {
    // SAFETY: All-zero is a valid `cpu_set_t`, and the set lives during the call.
    unsafe {
        let mut cpus: libc::cpu_set_t = std::mem::zeroed();
        (1..libc::CPU_SETSIZE as usize).for_each(|cpu| libc::CPU_SET(cpu, &mut cpus));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &cpus);
    }
    let done = what();
    stay_on_first_cpu();
    done
}

/// Gives up root.
pub fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: `setresgid()` and `setresuid()` have no memory preconditions.
    unsafe {
        cvt(i64::from(libc::setresgid(id, id, id)))?;
        cvt(i64::from(libc::setresuid(id, id, id)))?;
    }
    Ok(())
}

/// `unshare(2)`.
pub fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: `unshare()` has no memory preconditions.
    cvt(i64::from(unsafe { libc::unshare(flags) })).map(drop)
}

/// A connected pair of sockets that keep message boundaries.
pub fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    cvt(i64::from(unsafe {
        libc::socketpair(libc::AF_UNIX, libc::SOCK_SEQPACKET, 0, fds.as_mut_ptr())
    }))?;
    // SAFETY: The call made these two descriptors, and nobody else owns them.
    unsafe { Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1]))) }
}

/// A pipe: its end to read and its end to write.
pub fn pipe() -> io::Result<(File, File)> {
    let mut fds: [RawFd; 2] = [-1; 2];
    // SAFETY: `fds` has room for two descriptors.
    cvt(i64::from(unsafe { libc::pipe(fds.as_mut_ptr()) }))?;
    // SAFETY: The call made these two descriptors, and nobody else owns them.
    unsafe { Ok((File::from_raw_fd(fds[0]), File::from_raw_fd(fds[1]))) }
}

/// Waits until `fd` can be read or is closed; false after `millis`.
pub fn readable(fd: BorrowedFd<'_>, millis: i32) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: `poll` is one valid entry.
    Ok(cvt(i64::from(unsafe { libc::poll(&mut poll, 1, millis) }))? > 0)
}

/// Maps memory, has it populated, and unmaps it.
pub fn churn_memory(len: usize) -> io::Result<()> {
    let base = map_anon(len)?.cast();
    // SAFETY: The memory was just mapped, and nobody else knows it.
    unsafe {
        let populated = libc::madvise(base, len, libc::MADV_POPULATE_WRITE);
        libc::munmap(base, len);
        cvt(i64::from(populated)).map(drop)
    }
}

/// Maps anonymous memory.
pub fn map_anon(len: usize) -> io::Result<*mut u8> {
    let prot = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: A new mapping at an address of the kernel's choice touches no existing memory.
    match unsafe { libc::mmap(std::ptr::null_mut(), len, prot, flags, -1, 0) } {
        libc::MAP_FAILED => Err(io::Error::last_os_error()),
        base => Ok(base.cast()),
    }
}

/// `madvise(2)`.
pub fn madvise(address: u64, len: usize, advice: i32) -> io::Result<()> {
    // SAFETY: No advice that is given here takes away what Rust relies on: only the tests' own
    // memory, which is not reached through references, loses its content.
    cvt(unsafe { libc::madvise(address as *mut _, len, advice) }.into()).map(drop)
}

/// Makes memory writable, or read-only.
pub fn protect(address: u64, len: usize, write: bool) -> io::Result<()> {
    let prot = if write { libc::PROT_WRITE } else { 0 } | libc::PROT_READ;
    // SAFETY: It stays mapped and readable. Who writes to what is read-only dies of SIGSEGV.
    cvt(unsafe { libc::mprotect(address as *mut _, len, prot) }.into()).map(drop)
}

/// Has all threads of this process share one heap, which grows without mapping memory.
pub fn one_heap() {
    // malloc.h
    const M_ARENA_MAX: i32 = -8;
    // SAFETY: This sets a number.
    unsafe { libc::mallopt(M_ARENA_MAX, 1) };
}

/// Copies memory of this process by `process_vm_readv(2)`; returns how much of it.
pub fn copy_own(from: u64, to: &mut [u8]) -> io::Result<usize> {
    let iovec = |base, len| libc::iovec {
        iov_base: base as *mut _,
        iov_len: len,
    };
    let (here, there) = (
        iovec(to.as_mut_ptr() as u64, to.len()),
        iovec(from, to.len()),
    );
    // SAFETY: There is room for as much in `to`; the kernel checks whether there is something at
    // `from`.
    let copied = unsafe {
        let pid = std::process::id() as i32;
        libc::process_vm_readv(pid, &here, 1, &there, 1, 0)
    };
    cvt(copied as i64).map(|n| n as usize)
}

/// Lets others run first.
pub fn give_way() {
    // SAFETY: `sched_yield()` has no preconditions.
    unsafe { libc::sched_yield() };
}

/// Keeps this process, not those that it forks, out of swap.
pub fn lock_memory() -> io::Result<()> {
    // SAFETY: `mlockall()` has no memory preconditions.
    cvt(unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) }.into()).map(drop)
}

/// Allows or forbids large folios to this process and those that it forks.
pub fn large_folios(allow: bool) {
    // SAFETY: This operation takes numbers only.
    unsafe {
        libc::prctl(
            libc::PR_SET_THP_DISABLE,
            libc::c_ulong::from(!allow),
            0,
            0,
            0,
        )
    };
}

/// `swapon(2)`.
pub fn swapon(path: &str) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: `path` is a valid string.
    cvt(i64::from(unsafe { libc::swapon(path.as_ptr(), 0) })).map(drop)
}

/// `swapoff(2)`.
pub fn swapoff(path: &str) -> io::Result<()> {
    let path = CString::new(path)?;
    // SAFETY: `path` is a valid string.
    cvt(i64::from(unsafe { libc::swapoff(path.as_ptr()) })).map(drop)
}

/// How many times longer than on others things may take on the kernel at hand: qemu/init says.
fn slowness() -> u32 {
    let slow = std::env::var("ANON_TTU_SLOW");
    slow.ok().and_then(|s| s.parse().ok()).unwrap_or(1)
}

/// A time limit, for the kernel at hand.
pub fn patience(limit: std::time::Duration) -> std::time::Duration {
    limit * slowness()
}

/// How often to repeat something that shall be done `times` times where that is fast.
pub fn repeats(times: u64) -> u64 {
    times.div_ceil(slowness().into())
}

/// `swapoff(2)` that is given up after a time: it looks for the last users of a device for ever.
pub fn swapoff_within(path: &str, limit: std::time::Duration) -> io::Result<()> {
    let Some(pid) = fork()? else {
        let errno = swapoff(path).err().and_then(|e| e.raw_os_error());
        exit_now(errno.unwrap_or(0))
    };
    let start = std::time::Instant::now();
    while start.elapsed() < limit {
        match wait(pid, false)? {
            Some(End::Code(0)) => return Ok(()),
            Some(End::Code(errno)) => return Err(io::Error::from_raw_os_error(errno)),
            Some(end) => return Err(io::Error::other(format!("swapoff: {end:?}"))),
            None => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    kill(pid);
    wait(pid, true)?;
    Err(io::Error::other("swapoff: no end in time"))
}

/// The name of an error number, as the module's report has it.
pub fn errno_name(errno: i32) -> String {
    match errno {
        0 => "ok".into(),
        libc::EINVAL => "EINVAL".into(),
        libc::ESRCH => "ESRCH".into(),
        libc::ENOENT => "ENOENT".into(),
        libc::EOPNOTSUPP => "EOPNOTSUPP".into(),
        libc::EBUSY => "EBUSY".into(),
        libc::ENOSPC => "ENOSPC".into(),
        libc::EINTR => "EINTR".into(),
        libc::EACCES => "EACCES".into(),
        libc::EPERM => "EPERM".into(),
        libc::ENOMEM => "ENOMEM".into(),
        libc::EFAULT => "EFAULT".into(),
        libc::EBADF => "EBADF".into(),
        other => format!("errno {other}"),
    }
}

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
