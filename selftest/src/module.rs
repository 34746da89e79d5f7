// SPDX-License-Identifier: GPL-2.0

//! Taking the module out of a guest, and putting it in again.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::sys;

/// Where a guest has it.
const FILE: &str = "/run/guest/anon_ttu.ko";
/// What is there while it is loaded.
const TRACES: [&str; 2] = ["/sys/module/anon_ttu", "/sys/kernel/debug/anon_ttu"];

/// The file that it is loaded from.
pub struct Module(File);

impl Module {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let named = |e: io::Error| io::Error::new(e.kind(), format!("{FILE}: {e}"));
        File::open(FILE).map(Module).map_err(named)
    }

    /// Loads it.
    pub fn load(&self, parameters: &str) -> io::Result<()> {
        sys::load_module(&self.0, parameters)
    }
}

/// Takes it out.
pub fn unload() -> io::Result<()> {
    sys::delete_module("anon_ttu")
}

/// What is there of it.
pub fn traces() -> Vec<&'static str> {
    let there = |path: &&str| Path::new(path).exists();
    TRACES.into_iter().filter(there).collect()
}
