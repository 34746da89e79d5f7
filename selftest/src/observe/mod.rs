// SPDX-License-Identifier: GPL-2.0

//! What the kernel shows of memory to anybody who asks: one file here for each place it shows it.

pub mod calls;
pub mod kpage;
pub mod meminfo;
pub mod mthp;
pub mod pagemap;
pub mod smaps;
pub mod snapshot;
pub mod status;
pub mod swaps;
pub mod vmstat;

pub use snapshot::{Process, Snapshot, System};
