// SPDX-License-Identifier: GPL-2.0

//! Totals since the module was loaded.

use super::reason::Reason;
use crate::{
    target::Outcome,
    ttu::tally::NR_LENGTHS, //
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
}

static STATS: Stats = Stats {
    requests: Atomic::new(0),
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
};

/// Counts a request that was carried out, well or not.
pub(super) fn count_request() {
    STATS.requests.add(1, Relaxed);
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
    STATS.batches.add(outcome.tally.batches.into(), Relaxed);
    STATS.runs.add(outcome.tally.runs.into(), Relaxed);
    STATS.restored.add(outcome.tally.restored.into(), Relaxed);
    STATS.reclaimed.add(outcome.reclaimed as i64, Relaxed);
    for (total, &count) in STATS.lengths.iter().zip(&outcome.tally.lengths) {
        total.add(count.into(), Relaxed);
    }
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
            ("folios", &STATS.folios),
            ("pages", &STATS.pages),
            ("unmapped", &STATS.unmapped),
            ("failed", &STATS.failed),
            ("batches", &STATS.batches),
            ("runs", &STATS.runs),
            ("restored", &STATS.restored),
            ("reclaimed", &STATS.reclaimed),
        ] {
            writeln!(f, "{name} {}", total.load(Relaxed))?;
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
