// SPDX-License-Identifier: GPL-2.0

//! Totals since the module was loaded.

use super::{
    reason::Reason,
    request::Path, //
};
use crate::{
    target::Outcome,
    ttu::tally::{
        Tally,
        NR_LENGTHS, //
    },
};
use kernel::{
    fmt,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};

/// Number of [`Reason`]s.
const NR_REASONS: usize = Reason::ALL.len();

/// The totals.
struct Stats {
    requests: Atomic<i64>,
    requests_kernel: Atomic<i64>,
    folios: Atomic<i64>,
    pages: Atomic<i64>,
    unmapped: Atomic<i64>,
    failed: Atomic<i64>,
    batches: Atomic<i64>,
    runs: Atomic<i64>,
    restored: Atomic<i64>,
    reclaimed: Atomic<i64>,
    lengths: [Atomic<i64>; NR_LENGTHS],
    failures: [Atomic<i64>; NR_REASONS],
    live_taken: Atomic<i64>,
    live_folios: Atomic<i64>,
    live_pages: Atomic<i64>,
    live_passed_on: [Atomic<i64>; NR_PASSED_ON],
}

static STATS: Stats = Stats {
    requests: Atomic::new(0),
    requests_kernel: Atomic::new(0),
    folios: Atomic::new(0),
    pages: Atomic::new(0),
    unmapped: Atomic::new(0),
    failed: Atomic::new(0),
    batches: Atomic::new(0),
    runs: Atomic::new(0),
    restored: Atomic::new(0),
    reclaimed: Atomic::new(0),
    lengths: [const { Atomic::new(0) }; NR_LENGTHS],
    failures: [const { Atomic::new(0) }; NR_REASONS],
    live_taken: Atomic::new(0),
    live_folios: Atomic::new(0),
    live_pages: Atomic::new(0),
    live_passed_on: [const { Atomic::new(0) }; NR_PASSED_ON],
};

/// Why a call of the kernel's is passed on to its own function in live mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum PassedOn {
    /// A folio of one page.
    Small,
    /// A folio of a file, or of shared memory.
    File,
    /// A page that KSM has merged.
    Ksm,
    /// A page of hugetlbfs.
    Hugetlb,
    /// The memory is broken (`TTU_HWPOISON`).
    Hwpoison,
    /// A request with `path=kernel`.
    Asked,
}

const NR_PASSED_ON: usize = PassedOn::ALL.len();

impl PassedOn {
    /// All of them with their names.
    const ALL: [(Self, &'static str); 6] = [
        (Self::Small, "small"),
        (Self::File, "file"),
        (Self::Ksm, "ksm"),
        (Self::Hugetlb, "hugetlb"),
        (Self::Hwpoison, "hwpoison"),
        (Self::Asked, "asked"),
    ];
}

/// Counts a call that live mode leaves to the kernel.
pub(crate) fn count_passed_on(why: PassedOn) {
    if let Some(passed_on) = STATS.live_passed_on.get(why as usize) {
        passed_on.add(1, Relaxed);
    }
}

/// Counts a call that live mode has taken: what was done in one VMA, and how many pages the folio
/// has if it is not mapped anywhere any more.
pub(crate) fn count_taken(tally: &Tally, gone: Option<usize>) {
    STATS.live_taken.add(1, Relaxed);
    if let Some(pages) = gone {
        STATS.live_folios.add(1, Relaxed);
        STATS.live_pages.add(pages as i64, Relaxed);
    }
    STATS.unmapped.add(tally.unmapped.into(), Relaxed);
    count_batches(tally);
    if let Some(stop) = tally.stop {
        STATS.failed.add(1, Relaxed);
        count_failure(stop.into());
    }
}

/// Adds the batches of one tally.
fn count_batches(tally: &Tally) {
    STATS.batches.add(tally.batches.into(), Relaxed);
    STATS.runs.add(tally.runs.into(), Relaxed);
    STATS.restored.add(tally.restored.into(), Relaxed);
    for (total, &count) in STATS.lengths.iter().zip(&tally.lengths) {
        if count != 0 {
            total.add(count.into(), Relaxed);
        }
    }
}

/// Counts a request that was carried out, well or not, and by which code.
pub(super) fn count_request(path: Path) {
    STATS.requests.add(1, Relaxed);
    if path == Path::Kernel {
        STATS.requests_kernel.add(1, Relaxed);
    }
}

/// Counts a request or a folio that failed.
pub(super) fn count_failure(reason: Reason) {
    if let Some(failures) = STATS.failures.get(reason as usize) {
        failures.add(1, Relaxed);
    }
}

/// Counts what became of a folio.
pub(super) fn count_folio(outcome: &Outcome) {
    STATS.folios.add(1, Relaxed);
    STATS.pages.add(outcome.pages as i64, Relaxed);
    STATS.unmapped.add(outcome.unmapped as i64, Relaxed);
    STATS.reclaimed.add(outcome.reclaimed as i64, Relaxed);
    count_batches(&outcome.tally);
    if let Some(reason) = outcome.failure {
        STATS.failed.add(1, Relaxed);
        count_failure(reason);
    }
}

/// Prints all totals as `key value` lines.
pub(super) struct Totals;

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, total) in [
            ("requests", &STATS.requests),
            ("requests_kernel", &STATS.requests_kernel),
            ("folios", &STATS.folios),
            ("pages", &STATS.pages),
            ("unmapped", &STATS.unmapped),
            ("failed", &STATS.failed),
            ("batches", &STATS.batches),
            ("runs", &STATS.runs),
            ("restored", &STATS.restored),
            ("reclaimed", &STATS.reclaimed),
            ("live_taken", &STATS.live_taken),
            ("live_folios", &STATS.live_folios),
            ("live_pages", &STATS.live_pages),
        ] {
            writeln!(f, "{name} {}", total.load(Relaxed))?;
        }
        for (why, name) in PassedOn::ALL {
            if let Some(total) = STATS.live_passed_on.get(why as usize) {
                writeln!(f, "live_passed_{name} {}", total.load(Relaxed))?;
            }
        }
        for (power, total) in STATS.lengths.iter().enumerate() {
            writeln!(f, "batch_len_{} {}", 1u32 << power, total.load(Relaxed))?;
        }
        for (reason, total) in Reason::ALL.iter().zip(&STATS.failures) {
            writeln!(f, "failed_{} {}", reason.name(), total.load(Relaxed))?;
        }
        Ok(())
    }
}
