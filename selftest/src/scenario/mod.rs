// SPDX-License-Identifier: GPL-2.0

//! What must be seen, one group of tests a file.

pub mod course;
pub mod exclusive;
pub mod facts;
pub mod fork;
pub mod mixed;
pub mod pinned;
pub mod ranges;
pub mod refused;
pub mod requests;
pub mod softdirty;
pub mod swapless;
pub mod untouched;

use crate::runner::Test;

/// Tests of one subject.
pub struct Group {
    /// Its name on the command line.
    pub name: &'static str,
    /// Makes the tests that this kernel can run.
    pub tests: fn() -> Vec<Test>,
}

/// All groups, in the order in which they run.
pub const GROUPS: [Group; 9] = [
    Group {
        name: "requests",
        tests: requests::tests,
    },
    Group {
        name: "exclusive",
        tests: exclusive::tests,
    },
    Group {
        name: "softdirty",
        tests: softdirty::tests,
    },
    Group {
        name: "fork",
        tests: fork::tests,
    },
    Group {
        name: "mixed",
        tests: mixed::tests,
    },
    Group {
        name: "pinned",
        tests: pinned::tests,
    },
    Group {
        name: "refused",
        tests: refused::tests,
    },
    Group {
        name: "ranges",
        tests: ranges::tests,
    },
    Group {
        name: "swapless",
        tests: swapless::tests,
    },
];
