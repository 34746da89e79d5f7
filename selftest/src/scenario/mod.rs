// SPDX-License-Identifier: GPL-2.0

//! What must be seen, one group of tests a file.

pub mod course;
pub mod exclusive;
pub mod facts;
pub mod fork;
pub mod live;
pub mod mixed;
pub mod pinned;
pub mod pressure;
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

/// A selection that takes seconds: what a broken module most likely breaks.
const QUICK: [&str; 19] = [
    "requests: report in pieces",
    "requests: totals add up",
    "requests: no such process",
    "requests: EINVAL: no address",
    "requests: EINVAL: path twice",
    "requests: EINVAL: a NUL in the middle",
    "exclusive: 64 kB by Pte, reclaim=0, address in the middle page",
    "exclusive: 64 kB by Pte, reclaim=1, address in the middle page",
    "softdirty: 16 pages, every second page dirty",
    "fork: 64 kB, while in swap",
    "fork: 64 kB by Pte in 2 processes, reclaim=0",
    "mixed: 64 kB, every second page exclusive, write bits equal, reclaim=0",
    "pinned: 64 kB, the second half exclusive and pinned at its end, write bits equal",
    "refused: EOPNOTSUPP: file, private",
    "refused: ENOENT: unmapped",
    "refused: EBUSY: mlocked folio of 16 pages",
    "ranges: one of three is pinned",
    "swapless: 64 kB by Pte, swap of 8 pages",
    "live: MADV_PAGEOUT of 64 kB by Pte",
];

/// The tests of the selection, or the name of one that there is not.
pub fn quick() -> Result<Vec<Test>, &'static str> {
    let all = || GROUPS.iter().flat_map(|g| (g.tests)());
    let find = |name: &'static str| all().find(|t| t.name() == name).ok_or(name);
    QUICK.into_iter().map(find).collect()
}

/// All groups, in the order in which they run.
pub const GROUPS: [Group; 11] = [
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
    Group {
        name: "live",
        tests: live::tests,
    },
    Group {
        name: "pressure",
        tests: pressure::tests,
    },
];
