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
#[deny(unsafe_code)]
mod live;
mod sys;
#[deny(unsafe_code)]
mod target;
#[deny(unsafe_code)]
mod ttu;

use control::{
    live_file::LiveFile,
    stats_file::StatsFile,
    unmap_file::{
        LastReport,
        UnmapFile, //
    },
};
use live::Live;
use sys::debugfs;

module! {
    type: AnonTtu,
    name: "anon_ttu",
    authors: ["The anon_ttu developers"],
    description: "Batched unmapping of large anonymous folios",
    license: "GPL",
    params: {
        live: u8 {
            default: 0,
            description: "1: unmap all large anonymous folios that the kernel reclaims (default: 0)",
        },
    },
}

/// The loaded module. Dropping it removes its files; the kernel unloads it only when none of them
/// is open.
struct AnonTtu {
    // Dropped in this order: nobody can switch live mode on again when it is taken off.
    _unmap: debugfs::File<UnmapFile>,
    _stats: debugfs::File<StatsFile>,
    _switch: debugfs::File<LiveFile>,
    _live: Arc<Live>,
}

impl kernel::Module for AnonTtu {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        let on = match module_parameters::live.value() {
            0 => false,
            1 => true,
            _ => return Err(EINVAL),
        };
        sys::platform::check()?;
        sys::symbols::resolve()?;

        let dir = Arc::new(debugfs::Dir::new(c"anon_ttu")?, GFP_KERNEL)?;
        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        sys::fault::create_files(&dir)?;
        let last = Arc::pin_init(LastReport::new(), GFP_KERNEL)?;
        let live = Live::new()?;
        let this = Self {
            _unmap: debugfs::File::new(&dir, last)?,
            _stats: debugfs::File::new(&dir, Arc::new((), GFP_KERNEL)?)?,
            _switch: debugfs::File::new(&dir, live.clone())?,
            _live: live.clone(),
        };
        if on {
            live.set(true)?;
        }
        // Last: nothing that can fail comes after it.
        debugfs::let_open();
        Ok(this)
    }
}
