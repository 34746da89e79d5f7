// SPDX-License-Identifier: GPL-2.0

//! The kernel's unexported symbols, resolved once at load.
//!
//! C side: `rust/helpers/symbols.h` (the table) and `rust/helpers/resolve.c`.

use super::bindings;
use kernel::{
    error::to_result,
    prelude::*, //
};

/// Finds every unexported symbol that the module uses and puts them all to use.
///
/// Of [`crate::sys`] only [`super::platform`] may run before this has succeeded.
///
/// # Errors
///
/// `ENOENT` if this kernel lacks one (its name is logged), or what `register_kprobe()` returned.
/// Nothing has been changed then.
pub(crate) fn resolve() -> Result {
    // SAFETY: Called from process context, as the kprobe and static call functions require.
    to_result(unsafe { bindings::resolve_symbols() })
}
