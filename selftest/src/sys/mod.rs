// SPDX-License-Identifier: GPL-2.0

//! System calls that the standard library does not have, behind safe functions.

mod alarm;
mod cpu;
mod fd;
mod memory;
mod module;
mod pace;
mod process;
mod shared;
mod swap;
mod text;

pub use alarm::alarmed;
pub use cpu::{cpus, on_another_cpu, stay_on_cpu_of, stay_on_first_cpu, use_all_cpus};
pub use fd::{close_all_but, pipe, readable, socket_pair, wait_at_most};
pub use memory::{
    churn_memory, copy_own, large_folios, lock_memory, madvise, map_anon, one_heap, protect,
};
pub use module::{delete_module, load_module};
pub use pace::{patience, repeats};
pub use process::{
    become_user, die_with_parent, exit_now, fork, give_way, have_no_capabilities, kill, own_group,
    thread_id, unshare, wait, wait_for_zombie, End,
};
pub use shared::Shared;
pub use swap::{swapoff, swapoff_within, swapon};
pub use text::read_text;

use std::io;

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

/// How many entries a contpte block has (CONT_PTES); `None` where there are no blocks.
pub fn cont_ptes() -> Option<usize> {
    match (cfg!(target_arch = "aarch64"), page_size()) {
        (false, _) => None,
        (_, 0x1000) => Some(16),
        (_, 0x4000) => Some(128),
        _ => Some(32),
    }
}

/// Whether the machine has memory tags, and this kernel lets programs use them.
pub fn has_mte() -> bool {
    // arch/arm64/include/uapi/asm/hwcap.h
    const HWCAP2_MTE: u64 = 1 << 18;
    // SAFETY: `getauxval()` has no preconditions.
    cfg!(target_arch = "aarch64") && unsafe { libc::getauxval(libc::AT_HWCAP2) } & HWCAP2_MTE != 0
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
