// SPDX-License-Identifier: GPL-2.0

//! What the module needs of the machine that it runs on.

use super::bindings;
use kernel::prelude::*;

/// Checks that page table entries hold what the module reads and writes there by itself.
///
/// # Errors
///
/// `ENODEV` in a Xen PV domain: an entry there holds a machine frame number, so that neighbours
/// are not a fixed distance apart, and its page tables cannot be written to.
pub(crate) fn check() -> Result {
    // SAFETY: The function only asks what the CPU is.
    if unsafe { bindings::pte_holds_machine_frames() } {
        pr_err!("page tables of a Xen PV domain are not supported\n");
        return Err(ENODEV);
    }
    Ok(())
}
