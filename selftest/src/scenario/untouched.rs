// SPDX-License-Identifier: GPL-2.0

//! After a refused request everything must be as it was.

use super::facts;
use crate::observe::kpage::Flags;
use crate::observe::{Process, Snapshot};
use crate::shape::Folio;
use crate::verdict::Checks;

/// Compares two looks at a folio that a request must not have changed.
///
/// What may differ: the folio's dirty flag (the entry's dirty bit was moved to it), and whether it
/// is on the LRU at this very moment.
pub fn check(checks: &mut Checks, folio: &Folio, before: &Snapshot, after: &Snapshot) {
    for (k, (was, now)) in before.processes.iter().zip(&after.processes).enumerate() {
        check_entries(checks, &format!("process {k}"), was, now, folio);
        check_counters(checks, &format!("process {k}"), was, now);
    }
    check_frames(checks, before, after);
    checks.eq(
        "swap used after a refusal",
        after.system.swap_used_kb,
        before.system.swap_used_kb,
    );
    // Those of a control group are there if the processes are in one.
    let charged = ["memcg/anon", "memcg/swap.current", "memcg/swapcached"];
    for event in ["pswpout", "thp_split_page"].into_iter().chain(charged) {
        checks.eq(event, after.system.moved(&before.system, event), 0);
    }
}

/// Compares the page frames of a folio.
pub fn check_frames(checks: &mut Checks, before: &Snapshot, after: &Snapshot) {
    for (i, (was, now)) in before.frames.iter().zip(&after.frames).enumerate() {
        let kept = |(flags, count): &(Flags, u64)| {
            let names = [
                "anon",
                "mmap",
                "exclusive",
                "locked",
                "swapcache",
                "swapbacked",
            ];
            (names.map(|n| flags.has(n)), *count)
        };
        checks.that(kept(was) == kept(now), || {
            let say = |(f, c): &(Flags, u64)| format!("{} x{c}", f.names());
            format!("page frame {i} was {}, is {}", say(was), say(now))
        });
    }
}

/// Compares page table entries bit for bit.
pub fn check_entries(checks: &mut Checks, who: &str, was: &Process, now: &Process, folio: &Folio) {
    checks.that(was.pages == now.pages, || {
        let row = |p: &Process| facts::row(&p.pages, folio, None);
        let differ = was.pages.iter().zip(&now.pages).enumerate();
        let first = differ.filter(|(_, (a, b))| a != b).map(|(i, (a, b))| {
            format!(
                "\nthe first that differs is {i}: {:#x} became {:#x}",
                a.0, b.0
            )
        });
        format!(
            "entries of {who} changed\nwas {}\nis  {}{}",
            row(was),
            row(now),
            first.into_iter().next().unwrap_or_default()
        )
    });
}

/// Compares the memory counters of a process.
pub fn check_counters(checks: &mut Checks, who: &str, was: &Process, now: &Process) {
    for (name, a, b) in [
        ("RssAnon", was.status.rss_anon, now.status.rss_anon),
        ("VmRSS", was.status.vm_rss, now.status.vm_rss),
        ("VmSwap", was.status.vm_swap, now.status.vm_swap),
        ("VmLck", was.status.vm_lck, now.status.vm_lck),
    ] {
        checks.eq(&format!("{name} of {who} after a refusal"), b, a);
    }
}

/// Checks that all pages are mapped.
pub fn check_present(checks: &mut Checks, now: &Process) {
    let absent = now.pages.iter().filter(|e| !e.present()).count();
    checks.eq("pages that are not mapped", absent, 0);
}
