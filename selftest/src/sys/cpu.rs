// SPDX-License-Identifier: GPL-2.0

//! Which CPUs a process runs on.

use std::ops::Range;

/// How many CPUs the machine has, also those that this process keeps away from.
pub fn cpus() -> u64 {
    // SAFETY: `sysconf()` has no preconditions.
    unsafe { libc::sysconf(libc::_SC_NPROCESSORS_CONF) }.max(1) as u64
}

/// Stays on the first CPU from now on.
///
/// A CPU may keep a read-only translation of a page that has become writable since: the kernel
/// does not tell it. A process that moves there takes a fault that has nothing to do with what is
/// in the page table, and tests that count faults would see it.
pub fn stay_on_first_cpu() {
    stay_on(0..1);
}

/// Stays on one CPU from now on: threads with other numbers run at the same time, as far as there
/// are CPUs for them.
pub fn stay_on_cpu_of(number: u64) {
    let cpu = (number % cpus()) as usize;
    stay_on(cpu..cpu + 1);
}

/// Runs on any CPU from now on.
pub fn use_all_cpus() {
    stay_on(0..libc::CPU_SETSIZE as usize);
}

/// Does something on another CPU than the first, if there is one, and comes back to the first.
pub fn on_another_cpu<T>(what: impl FnOnce() -> T) -> T {
    stay_on(1..libc::CPU_SETSIZE as usize);
    let done = what();
    stay_on_first_cpu();
    done
}

/// Lets the calling thread run on those of these CPUs that there are; without any, nothing changes.
fn stay_on(cpus: Range<usize>) {
    // SAFETY: All-zero is a valid `cpu_set_t`, and the set lives during the call.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cpus.for_each(|cpu| libc::CPU_SET(cpu, &mut set));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}
