// SPDX-License-Identifier: GPL-2.0

//! How many bytes were compared, by all tests that this process has forked.

use std::io;
use std::sync::OnceLock;

use crate::count::{self, Count, Counters};

#[repr(C)]
struct Compared {
    bytes: Count,
}

// SAFETY: It is made of a counter only.
unsafe impl Counters for Compared {}

static COMPARED: OnceLock<&Compared> = OnceLock::new();

/// Counts from now on, here and in what is forked from here on.
pub fn begin() -> io::Result<()> {
    let counters = count::shared()?;
    COMPARED.get_or_init(|| counters);
    Ok(())
}

/// Bytes that were compared since, equal or not.
pub fn bytes() -> u64 {
    COMPARED.get().map_or(0, |all| all.bytes.get())
}

pub(super) fn add(len: u64) {
    if let Some(all) = COMPARED.get() {
        all.bytes.add(len);
    }
}
