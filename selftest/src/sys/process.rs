// SPDX-License-Identifier: GPL-2.0

//! Processes: how they begin, whose they are, how they end.

use std::io;

use super::cvt;

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

/// Gives up root.
pub fn become_user(id: u32) -> io::Result<()> {
    // SAFETY: `setresgid()` and `setresuid()` have no memory preconditions.
    unsafe {
        cvt(i64::from(libc::setresgid(id, id, id)))?;
        cvt(i64::from(libc::setresuid(id, id, id)))?;
    }
    Ok(())
}

/// Gives up all capabilities that this process has.
pub fn have_no_capabilities() -> io::Result<()> {
    // include/uapi/linux/capability.h: _LINUX_CAPABILITY_VERSION_3, and the calling thread.
    let header = [0x2008_0522, 0];
    // Effective, permitted and inheritable ones, twice 32 of each.
    let none = [0u32; 6];
    // SAFETY: Both live during the call, and have the size that belongs to the version.
    cvt(unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), none.as_ptr()) }).map(drop)
}

/// `unshare(2)`.
pub fn unshare(flags: i32) -> io::Result<()> {
    // SAFETY: `unshare()` has no memory preconditions.
    cvt(i64::from(unsafe { libc::unshare(flags) })).map(drop)
}

/// The number of the calling thread.
pub fn thread_id() -> i32 {
    // SAFETY: `gettid()` has no preconditions.
    unsafe { libc::gettid() }
}

/// Lets others run first.
pub fn give_way() {
    // SAFETY: `sched_yield()` has no preconditions.
    unsafe { libc::sched_yield() };
}
