// SPDX-License-Identifier: GPL-2.0

//! A memory control group for the test process and all that it starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::knobs;

const ROOT: &str = "/sys/fs/cgroup";

/// A control group with the process that made it in it.
pub struct Memcg {
    dir: PathBuf,
}

impl Memcg {
    /// Makes a group and goes into it.
    pub fn enter(name: &str) -> io::Result<Self> {
        fs::write(Path::new(ROOT).join("cgroup.subtree_control"), "+memory")?;
        let dir = Path::new(ROOT).join(name);
        fs::create_dir(&dir)?;
        let group = Memcg { dir };
        fs::write(group.dir.join("cgroup.procs"), "0")?;
        Ok(group)
    }

    /// Writes one of its files, such as `memory.max`.
    pub fn set(&self, file: &str, value: &str) -> io::Result<()> {
        knobs::write(self.dir.join(file), value)
    }

    /// Reads a file of one number.
    pub fn number(&self, file: &str) -> io::Result<u64> {
        let text = fs::read_to_string(self.dir.join(file))?;
        text.trim().parse().map_err(io::Error::other)
    }

    /// Reads a number from a file of `key value` lines.
    pub fn value(&self, file: &str, key: &str) -> io::Result<u64> {
        let text = fs::read_to_string(self.dir.join(file))?;
        let value = text
            .lines()
            .find_map(|l| l.strip_prefix(key)?.trim().parse().ok());
        value.ok_or_else(|| io::Error::other(format!("{file}: no {key}")))
    }

    /// Has the kernel reclaim all anonymous memory that it can.
    pub fn reclaim_anon(&self) -> io::Result<()> {
        match fs::write(self.dir.join("memory.reclaim"), "1G swappiness=max") {
            // There is not so much of it.
            Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Ok(()),
            other => other,
        }
    }
}

impl Drop for Memcg {
    fn drop(&mut self) {
        let _ = fs::write(Path::new(ROOT).join("cgroup.procs"), "0");
        if let Err(e) = fs::remove_dir(&self.dir) {
            eprintln!("{} stays: {e}", self.dir.display());
        }
    }
}
