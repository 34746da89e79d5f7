// SPDX-License-Identifier: GPL-2.0

//! What the module says and understands.

#[path = "../../rust/control/reason.rs"]
pub(crate) mod reason;
#[path = "../../rust/control/report.rs"]
pub(crate) mod report;
#[path = "../../rust/control/request.rs"]
pub(crate) mod request;
#[path = "../../rust/control/stats.rs"]
pub(crate) mod stats;

mod words;
