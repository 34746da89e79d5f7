// SPDX-License-Identifier: GPL-2.0

//! What must be seen, one group of tests a file.

pub mod contpte;
pub mod course;
pub mod device;
pub mod exclusive;
pub mod facts;
pub mod faults;
pub mod fork;
pub mod gup;
pub mod hostile;
pub mod hwpoison;
pub mod lazyfree;
mod listening;
pub mod live;
pub mod memcg;
pub mod mixed;
pub mod mlock;
pub mod mte;
pub mod partial;
pub mod pinned;
pub mod races;
pub mod random;
pub mod ranges;
pub mod refused;
pub mod requests;
pub mod softdirty;
pub mod swapcached;
pub mod swapless;
pub mod swapoff;
pub mod titles;
pub mod uffd;
pub mod untouched;

use crate::runner::Test;
use crate::shape::bytes;

/// Tests of one subject.
pub struct Group {
    /// Its name on the command line.
    pub name: &'static str,
    /// What its guest needs: options of qemu/run.
    pub options: &'static str,
    /// Makes the tests that this kernel can run.
    pub tests: fn() -> Vec<Test>,
}

/// A selection that takes seconds: what a broken module most likely breaks. 64 kB stand for the
/// size of 16 pages.
const QUICK: [&str; 19] = [
    "requests: report in pieces",
    "requests: totals add up",
    "requests: no such process",
    "requests: EINVAL: no address",
    "requests: EINVAL: path twice",
    "requests: EINVAL: a NUL in the middle",
    "exclusive: 64 kB by Pte, reclaim=0, address in the middle page",
    "exclusive: 64 kB by Pte, reclaim=1, address in the middle page",
    "softdirty: 16 pages, every second page dirty, write bits equal",
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
    let size = format!("{} kB", bytes(16) / 1024);
    let find = |name: &'static str| {
        let wanted = name.replace("64 kB", &size);
        all().find(|t| t.name() == wanted).ok_or(name)
    };
    QUICK.into_iter().map(find).collect()
}

/// All groups, in the order in which they run in one guest. scripts/check, with guests side by side, begins
/// at the end: with those that want more than one processor, then those that take longest, so that
/// none is idle when it ends.
pub const GROUPS: [Group; 30] = [
    with("--swap zram --one-thread", "zram", exclusive::few),
    with("--mte --one-thread", "mte", mte::tests),
    group("swapless", swapless::tests),
    group("swapoff", swapoff::tests),
    group("hwpoison", hwpoison::tests),
    group("refused", refused::tests),
    group("swapcached", swapcached::tests),
    group("contpte", contpte::tests),
    group("random", random::tests),
    group("memcg", memcg::tests),
    group("uffd", uffd::tests),
    group("mlock", mlock::tests),
    group("lazyfree", lazyfree::tests),
    group("partial", partial::tests),
    group("device", device::tests),
    group("gup", gup::tests),
    group("pinned", pinned::tests),
    group("mixed", mixed::tests),
    group("fork", fork::tests),
    group("softdirty", softdirty::tests),
    group("exclusive", exclusive::tests),
    // Here much happens at once, as in the races.
    with("--leaks", "live", live::tests),
    with("--leaks", "hostile", hostile::tests),
    leaks("faults-around", faults::around),
    leaks("requests", requests::tests),
    leaks("ranges", ranges::tests),
    leaks("faults", faults::in_path),
    with("--cpus 1", "races-1", races::on_one),
    with("--cpus 2", "races-2", races::on_two),
    with("--cpus 4", "races-4", races::on_four),
];

/// A group after which a kernel that can looks for lost memory: those in which the module allocates
/// most, and fails.
const fn leaks(name: &'static str, tests: fn() -> Vec<Test>) -> Group {
    with("--leaks --one-thread", name, tests)
}

/// A group of tests that wait for each step before the next. They need no CPUs that run at the same
/// time, and emulated ones that take turns need a seventh less of a busy host's time.
const fn group(name: &'static str, tests: fn() -> Vec<Test>) -> Group {
    with("--one-thread", name, tests)
}

const fn with(options: &'static str, name: &'static str, tests: fn() -> Vec<Test>) -> Group {
    Group {
        name,
        options,
        tests,
    }
}
