// SPDX-License-Identifier: GPL-2.0

//! Failures that somebody asks for, in kernels that can inject them
//! (`CONFIG_FAULT_INJECTION_DEBUG_FS`); elsewhere, constants.
//!
//! Each [`Fault`] stands at a place that can fail anyway, and makes it fail in that very way: what
//! follows cannot tell the difference. A folder of its name beside the module's files says when.
//!
//! C header: [`include/linux/fault-inject.h`](srctree/include/linux/fault-inject.h)

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
use super::{
    bindings,
    debugfs::Dir, //
};
#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
use kernel::{
    prelude::*,
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

/// A place that can be made to fail.
pub(crate) struct Fault {
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    name: &'static CStr,
    #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
    attr: Opaque<bindings::fault_attr>,
}

/// Defines the places, with the names of their folders.
macro_rules! faults {
    ($($(#[$doc:meta])* $fault:ident = $name:literal;)*) => {
        $($(#[$doc])* pub(crate) static $fault: Fault = Fault::new($name);)*

        #[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
        static ALL: &[&Fault] = &[$(&$fault,)*];
    };
}

faults! {
    /// A fatal signal comes before the mmap lock.
    MMAP_LOCK = c"fail_mmap_lock";
    /// No folio is mapped at an address.
    FOLIO_WALK = c"fail_folio_walk";
    /// Somebody else has isolated the folio.
    FOLIO_ISOLATE = c"fail_folio_isolate";
    /// Somebody else has locked the folio.
    FOLIO_TRYLOCK = c"fail_folio_trylock";
    /// The folio was merged by KSM since it was looked up.
    FOLIO_CHANGED = c"fail_folio_changed";
    /// The folio is being written to its swap device.
    FOLIO_WRITEBACK = c"fail_folio_writeback";
    /// There is no swap space for the folio.
    ALLOC_SWAP = c"fail_alloc_swap";
    /// The folio has lost its anon_vma, so that no VMA is visited.
    RMAP_WALK = c"fail_rmap_walk";
    /// The walk finds no further entry in a VMA.
    VMA_WALK = c"fail_vma_walk";
    /// The count of a swap slot is at the limit of the table: asked once a slot.
    SWAP_COUNT = c"fail_swap_count";
    /// There is no memory for a count beyond the limit: asked once a slot, where the counts are
    /// not raised together.
    SWAP_DUP = c"fail_swap_dup";
    /// The folio may be pinned: asked once for each run of exclusive pages.
    SHARE_ANON_RMAP = c"fail_share_anon_rmap";
    /// A lazily freed folio was written to again: asked once a batch.
    LAZYFREE_DIRTY = c"fail_lazyfree_dirty";
    /// A lazily freed folio is in use by somebody: asked once a batch.
    LAZYFREE_REFERENCES = c"fail_lazyfree_references";
    /// The folio is swap-backed and has no swap slots, which nothing is known to cause: asked once a
    /// batch.
    INCONSISTENT = c"fail_inconsistent";
    /// Who listens to changes of an mm sleeps ([`Fault::sleep`]): asked once a VMA.
    MMU_NOTIFIER = c"sleep_mmu_notifier";
}

#[cfg(not(CONFIG_FAULT_INJECTION_DEBUG_FS))]
impl Fault {
    /// Whether any place can be made to fail.
    pub(crate) const POSSIBLE: bool = false;

    const fn new(_name: &core::ffi::CStr) -> Self {
        Self {}
    }

    /// Returns whether the place has to fail this time.
    #[inline(always)]
    pub(crate) fn should_fail(&self) -> bool {
        false
    }

    /// Sleeps, if the place has to this time.
    #[inline(always)]
    pub(crate) fn sleep(&self) {}
}

#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
impl Fault {
    /// Whether any place can be made to fail.
    pub(crate) const POSSIBLE: bool = true;

    const fn new(name: &'static CStr) -> Self {
        // All zeroes never fail, unless /proc/PID/fail-nth says so.
        Self {
            name,
            attr: Opaque::zeroed(),
        }
    }

    /// Returns whether the place has to fail this time (`should_fail()`).
    pub(crate) fn should_fail(&self) -> bool {
        // SAFETY: The attributes are a static, zeroed or initialised. May be called in any
        // context.
        unsafe { bindings::should_fail(self.attr.get(), 1) }
    }

    /// Sleeps, if the place has to this time, until its `probability` is zero, or for half a minute:
    /// when the module is taken out, there is nowhere left to write that.
    ///
    /// Context: may sleep.
    pub(crate) fn sleep(&self) {
        if !self.should_fail() {
            return;
        }
        for _ in 0..300 {
            fsleep(Delta::from_millis(100));
            // SAFETY: The attributes are a static; the kernel reads and writes this field plainly.
            if unsafe { (&raw const (*self.attr.get()).probability).read_volatile() } == 0 {
                return;
            }
        }
    }
}

// SAFETY: The kernel reads and changes the attributes from all threads, as it does its own.
#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
unsafe impl Sync for Fault {}

/// Makes the folders of all places. They go with `dir`.
///
/// To be called once, before anything of the module can be asked for.
///
/// # Errors
///
/// As [`Dir::new`].
#[cfg(CONFIG_FAULT_INJECTION_DEBUG_FS)]
pub(crate) fn create_files(dir: &Dir) -> Result {
    for fault in ALL {
        // SAFETY: The attributes are a static of the module, which lives longer than the files,
        // and nobody uses them yet. The name is copied.
        let dentry = unsafe {
            bindings::init_fault_attr(fault.attr.get());
            bindings::fault_create_debugfs_attr(
                fault.name.as_char_ptr().cast(),
                dir.as_ptr(),
                fault.attr.get(),
            )
        };
        super::debugfs::check_dentry(dentry)?;
    }
    Ok(())
}
