// SPDX-License-Identifier: GPL-2.0

//! What people touch: the files in debugfs, and what they say.

pub(crate) mod live_file;
pub(crate) mod reason;
mod report;
pub(crate) mod request;
pub(crate) mod stats;
pub(crate) mod stats_file;
mod trigger;
pub(crate) mod unmap_file;
