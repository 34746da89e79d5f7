// SPDX-License-Identifier: GPL-2.0

//! Batched unmapping of large anonymous folios.
//!
//! [`ttu`] is the path: what `try_to_unmap_one()` in [`mm/rmap.c`](srctree/mm/rmap.c) does for
//! anonymous memory, with whole runs of page table entries at a time. [`control`] is what people
//! touch, [`target`] leads from there to a folio, and [`sys`] has the kernel's objects behind safe
//! doors.

use kernel::{
    prelude::*,
    sync::Arc, //
};

#[deny(unsafe_code)]
mod control;
mod sys;
#[deny(unsafe_code)]
mod target;
#[deny(unsafe_code)]
mod ttu;

use control::{
    stats_file::StatsFile,
    unmap_file::{
        LastReport,
        UnmapFile, //
    },
};
use sys::debugfs;

module! {
    type: AnonTtu,
    name: "anon_ttu",
    authors: ["The anon_ttu developers"],
    description: "Batched unmapping of large anonymous folios",
    license: "GPL",
}

/// The loaded module. Dropping it removes its files; the kernel unloads it only when none of them
/// is open.
struct AnonTtu {
    _unmap: debugfs::File<UnmapFile>,
    _stats: debugfs::File<StatsFile>,
}

impl kernel::Module for AnonTtu {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        sys::symbols::resolve()?;

        let dir = Arc::new(debugfs::Dir::new(c"anon_ttu")?, GFP_KERNEL)?;
        let last = Arc::pin_init(LastReport::new(), GFP_KERNEL)?;
        Ok(Self {
            _unmap: debugfs::File::new(&dir, last)?,
            _stats: debugfs::File::new(&dir, Arc::new((), GFP_KERNEL)?)?,
        })
    }
}
