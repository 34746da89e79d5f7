// SPDX-License-Identifier: GPL-2.0

//! After the unmap: every entry, every counter, and the report.

use super::{Plan, Via};
use crate::live::Since;
use crate::observe::pagemap::Entry;
use crate::observe::Snapshot;
use crate::scenario::facts;
use crate::shape::{bytes, Shape};
use crate::sys::{self, errno_name, page_size};
use crate::trigger::{Answer, Path};
use crate::verdict::{Checks, Stop};

/// Holds the report of a whole unmap against what the shape says.
pub fn check_report(checks: &mut Checks, shape: &Shape<'_>, plan: &Plan, answer: &Answer) {
    let expected = shape.expected();
    let pages = shape.folio.pages as u64;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let batched = plan.via == Via::Module(Path::Batched);
    let if_batched = |n| if batched { n } else { 0 };
    let report = &answer.report;
    for (key, want) in [
        ("pid", shape.subjects[0].pid as u64),
        ("reclaim", plan.reclaim.into()),
        ("folios", 1),
        ("pages", pages),
        ("unmapped", expected.mappings),
        ("failed", 0),
        ("batches", if_batched(expected.batches)),
        ("runs", if_batched(expected.runs)),
        ("restored", 0),
        ("reclaimed", if plan.reclaim { pages } else { 0 }),
    ] {
        checks.eq(&format!("report {key}"), report.number(key), Some(want));
    }
    checks.eq("report path", report.get("path"), Some(plan.via.name()));
    checks.eq("report result", report.get("result"), Some("ok"));
    checks.eq("report lines", &report.odd_lines, &Vec::new());
}

/// Holds what live mode has counted against what the shape says.
pub fn check_live(checks: &mut Checks, shape: &Shape<'_>, since: &Since) -> Result<(), Stop> {
    let expected = shape.expected();
    let pages = shape.folio.pages as u64;
    let processes = shape.subjects.len() as u64;
    let ours = u64::from(pages > 1);
    since.check(
        checks,
        &[
            ("live_taken", ours * processes),
            ("live_folios", ours),
            ("live_pages", ours * pages),
            ("live_passed_small", (1 - ours) * processes),
            ("live_passed_file", 0),
            ("unmapped", ours * expected.mappings),
            ("batches", ours * expected.batches),
            ("runs", ours * expected.runs),
            ("failed", 0),
        ],
    )
}

/// All pages swapped, to consecutive slots, with their bits, and counted right.
pub fn check_unmapped(
    checks: &mut Checks,
    shape: &Shape<'_>,
    plan: &Plan,
    before: &Snapshot,
    after: &Snapshot,
) {
    let folio = &shape.folio;
    let slot = facts::first_slot(after);
    let mut types = Vec::new();
    for (k, pages) in shape.pages.iter().enumerate() {
        let (was, now) = (&before.processes[k], &after.processes[k]);
        let left = pages.iter().zip(&now.pages).enumerate();
        let left = left.filter(|(i, (page, entry))| match page {
            None => entry.present() || entry.swapped(),
            Some(_) => entry.swap_offset() != slot.map(|s| s + *i as u64),
        });
        checks.that(left.count() == 0, || {
            let row = facts::row(&now.pages, folio, slot);
            format!("pages of process {k} are not all in their swap slots: {row}")
        });
        types.extend(now.pages.iter().filter_map(|e| e.swap_type()));
        let what = |field: &str| format!("{field} of process {k}");
        check_bits(checks, &what, &was.pages, &now.pages);

        let kb = (pages.iter().flatten().count() * page_size() / 1024) as u64;
        let (a, b) = (&was.status, &now.status);
        checks.eq(&what("RssAnon"), b.rss_anon + kb, a.rss_anon);
        checks.eq(&what("VmSwap"), b.vm_swap, a.vm_swap + kb);
        // There may be other pages in the same VMA.
        for (field, lost, gained) in [("Anonymous", kb, 0), ("Swap", 0, kb)] {
            let (a, b) = (was.smaps.kb(field), now.smaps.kb(field));
            checks.eq(&what(&format!("smaps {field}")), b + lost, a + gained);
        }
        checks.eq(
            &what("smaps AnonHugePages"),
            now.smaps.kb("AnonHugePages"),
            0,
        );
        check_high_water(checks, k, a.vm_rss, b.vm_hwm);
    }
    types.dedup();
    checks.eq("number of swap devices used", types.len(), 1);
    // The swap cache holds a slot for every page, also for those that nobody maps.
    let slots = match plan.reclaim {
        true => shape.mapped_pages(),
        false => folio.pages,
    };
    checks.eq(
        "swap used",
        after.system.swap_used_kb,
        before.system.swap_used_kb + bytes(slots) / 1024,
    );
    check_events(checks, shape, plan, before, after);
    if plan.reclaim {
        return;
    }
    // Of a page that was let go before, the flag stays; it is the first page's that shows.
    let exclusive_stays = shape.pages.iter().all(|p| p[0].is_none());
    for (i, (flags, count)) in after.frames.iter().enumerate() {
        let bad = *count != 0
            || !flags.has("swapcache")
            || !flags.has("dirty")
            || flags.has("exclusive") && !exclusive_stays
            || ["locked", "mmap", "writeback"].iter().any(|f| flags.has(f));
        checks.that(!bad, || {
            format!("page frame {i} after the unmap: {} x{count}", flags.names())
        });
    }
}

/// The bits that each page keeps wherever it goes; `what` puts a name to them.
pub(super) fn check_bits(
    checks: &mut Checks,
    what: &dyn Fn(&str) -> String,
    was: &[Entry],
    now: &[Entry],
) {
    for (name, bit) in [("soft-dirty", 55), ("uffd-wp", 57), ("file", 61)] {
        let set = |e: &Entry| if e.0 & (1 << bit) == 0 { '0' } else { '1' };
        let bits = |pages: &[Entry]| -> String { pages.iter().map(set).collect() };
        checks.eq(&what(&format!("{name} bits")), bits(now), bits(was));
    }
}

/// The counters of swap-outs and splits.
fn check_events(
    checks: &mut Checks,
    shape: &Shape<'_>,
    plan: &Plan,
    before: &Snapshot,
    after: &Snapshot,
) {
    let out = i64::from(plan.reclaim);
    let moved = |event: &str| after.system.moved(&before.system, event);
    checks.eq("pswpout", moved("pswpout"), out * shape.folio.pages as i64);
    checks.eq("thp_split_page", moved("thp_split_page"), 0);
    for (name, want) in [("swpout", out), ("swpout_fallback", 0), ("split", 0)] {
        if let Some(counter) = shape.folio.counter(name) {
            checks.eq(&counter, moved(&counter), want);
        }
    }
}

/// How far the high-water mark may be off, so that what is unmapped has to be more to be missed.
///
/// The kernel takes it from counters that it does not sum up: each of the three may be off by a
/// per-CPU batch on every CPU.
pub fn high_water_slack_kb() -> u64 {
    let cpus = sys::cpus();
    3 * cpus * (32.max(2 * cpus)) * page_size() as u64 / 1024
}

/// The high-water mark must remember what was resident before.
pub fn check_high_water(checks: &mut Checks, k: usize, rss_before: u64, hwm_after: u64) {
    checks.that(hwm_after + high_water_slack_kb() >= rss_before, || {
        format!("VmHWM of process {k}: {hwm_after} kB, but {rss_before} kB were resident before")
    });
}
