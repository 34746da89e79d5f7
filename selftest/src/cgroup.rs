// SPDX-License-Identifier: GPL-2.0

//! A memory control group for subjects.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

use crate::knobs;
use crate::sys::{self, page_size, End};

const ROOT: &str = "/sys/fs/cgroup";
/// The kernel sums the statistics up on reading only after so many changes of a page on each CPU
/// (`MEMCG_CHARGE_BATCH`), and else every 2 seconds.
const CHANGES: u64 = 64;
/// How often it is looked at them, at most, until they stay the same.
const LOOKS: usize = 6;
/// Not the memory of the processes, or nothing that an unmap decides: kernel memory is charged in
/// batches, the shares of the LRU lists follow the order in which the per-CPU lists are emptied,
/// and faults are counted for each process.
const UNEVEN: [&str; 13] = [
    "pgfault",
    "kernel",
    "kernel_stack",
    "pagetables",
    "percpu",
    "vmalloc",
    "slab",
    "slab_reclaimable",
    "slab_unreclaimable",
    "inactive_anon",
    "active_anon",
    "pgrefill",
    "file",
];

/// A control group; removed when it is dropped.
pub struct Cgroup {
    path: PathBuf,
    exact: bool,
}

impl Cgroup {
    /// Has control groups of the root count and limit something more, as `io`.
    pub fn enable(controller: &str) -> io::Result<()> {
        knobs::write(
            format!("{ROOT}/cgroup.subtree_control"),
            &format!("+{controller}"),
        )
    }

    /// Makes a control group. With `exact`, its statistics are watched as well.
    pub fn new(exact: bool) -> io::Result<Self> {
        Self::enable("memory")?;
        let mut nr = 0;
        loop {
            let path = PathBuf::from(format!("{ROOT}/selftest.{}.{nr}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Cgroup { path, exact }),
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => nr += 1,
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes a control group for this process and all that it starts.
    pub fn enter() -> io::Result<Self> {
        let group = Self::new(false)?;
        group.set("cgroup.procs", "0")?;
        Ok(group)
    }

    /// Moves a process into it.
    pub fn add(&self, pid: i32) -> io::Result<()> {
        self.set("cgroup.procs", &pid.to_string())
    }

    /// Writes a setting, as `memory.swap.max`.
    pub fn set(&self, name: &str, value: &str) -> io::Result<()> {
        knobs::write(self.path.join(name), value)
    }

    /// Reads a number from a file of `key value` lines.
    pub fn value(&self, file: &str, key: &str) -> io::Result<u64> {
        let mut events = BTreeMap::new();
        self.table(file, "", &mut events)?;
        let value = events.get(key).copied();
        value.ok_or_else(|| io::Error::other(format!("{file}: no {key}")))
    }

    /// Has the kernel reclaim all anonymous memory of the group that it can, but not what may be
    /// dropped, which is on the lists of files.
    pub fn reclaim_anon(&self) -> io::Result<()> {
        self.reclaim("max")
    }

    /// Has the kernel reclaim all that needs no swap.
    pub fn reclaim_file(&self) -> io::Result<()> {
        self.reclaim("0")
    }

    fn reclaim(&self, swappiness: &str) -> io::Result<()> {
        let all = format!("1G swappiness={swappiness}");
        match fs::write(self.path.join("memory.reclaim"), all) {
            // There is not so much of it.
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Ok(()),
            other => other,
        }
    }

    /// Reads a file of one number.
    pub fn number(&self, name: &str) -> io::Result<u64> {
        let text = sys::read_text(self.path.join(name))?;
        text.trim().parse().map_err(io::Error::other)
    }

    /// What is used and what has happened, as `memcg/swap.current` and `memcg/anon`.
    pub fn events(&self) -> io::Result<BTreeMap<String, u64>> {
        let mut events = BTreeMap::new();
        let used = self.number("memory.swap.current")?;
        events.insert("memcg/swap.current".to_string(), used);
        for (file, prefix) in [
            ("memory.swap.events", "memcg/swap."),
            ("memory.events", "memcg/"),
        ] {
            self.table(file, prefix, &mut events)?;
        }
        if self.exact {
            events.extend(self.statistics()?);
        }
        Ok(events)
    }

    /// The statistics, when two looks in a row say the same. The kernel may sum them up by itself just
    /// when the process that stirs them is on its way out, and what changes after that is too
    /// little to be summed up on reading.
    fn statistics(&self) -> io::Result<BTreeMap<String, u64>> {
        let mut last = BTreeMap::new();
        for _ in 0..LOOKS {
            self.stir()?;
            let mut now = BTreeMap::new();
            self.table("memory.stat", "memcg/", &mut now)?;
            now.retain(|name, _| !UNEVEN.iter().any(|u| name == &format!("memcg/{u}")));
            if now == last {
                break;
            }
            last = now;
        }
        Ok(last)
    }

    /// Has a process in the group take and give back so much memory that its statistics get summed
    /// up when they are read.
    fn stir(&self) -> io::Result<()> {
        let Some(pid) = sys::fork()? else {
            let done = self.set("cgroup.procs", "0").and_then(|()| {
                sys::churn_memory(2 * (CHANGES * sys::cpus()) as usize * page_size())
            });
            sys::exit_now(i32::from(done.is_err()))
        };
        match sys::wait(pid, true)? {
            Some(End::Code(0)) => Ok(()),
            end => Err(io::Error::other(format!("in a control group: {end:?}"))),
        }
    }

    fn table(
        &self,
        file: &str,
        prefix: &str,
        events: &mut BTreeMap<String, u64>,
    ) -> io::Result<()> {
        let text = sys::read_text(self.path.join(file))?;
        let lines = text.lines().filter_map(|l| l.split_once(' '));
        events.extend(lines.filter_map(|(k, v)| Some((format!("{prefix}{k}"), v.parse().ok()?))));
        Ok(())
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Whoever has entered it leaves it.
        let _ = knobs::write(format!("{ROOT}/cgroup.procs"), "0");
        // A process that has just exited may still be on its way out of the group.
        for _ in 0..50 {
            if fs::remove_dir(&self.path).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
