// SPDX-License-Identifier: GPL-2.0

//! To come.

use crate::runner::Test;

/// None yet.
pub fn tests() -> Vec<Test> {
    Vec::new()
}
