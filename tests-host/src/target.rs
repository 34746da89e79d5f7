// SPDX-License-Identifier: GPL-2.0

//! In the place of `rust/target.rs`, which needs folios: what it tells about one.

use crate::{control::reason::Reason, ttu::tally::Tally};

/// What became of a folio; see `Outcome` there.
pub(crate) struct Outcome {
    pub(crate) pages: usize,
    pub(crate) unmapped: usize,
    pub(crate) reclaimed: usize,
    pub(crate) unmap_ns: i64,
    pub(crate) tally: Tally,
    pub(crate) failure: Option<Reason>,
}
