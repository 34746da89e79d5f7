// SPDX-License-Identifier: GPL-2.0

//! What of the path is pure.

#[path = "../../rust/ttu/batch.rs"]
#[allow(dead_code)]
pub(crate) mod batch;
#[path = "../../rust/ttu/tally.rs"]
#[allow(dead_code)]
pub(crate) mod tally;

/// As both architectures have it by default; only [`batch::BatchLen::bytes`] wants it.
pub(crate) const PAGE_SIZE: usize = 4096;
