// SPDX-License-Identifier: GPL-2.0

//! After an unmap that stopped on its way: some entries are gone, the rest is as it was.

use crate::observe::Snapshot;
use crate::scenario::facts;
use crate::shape::Shape;
use crate::sys::page_size;
use crate::verdict::Checks;

/// Process `k` has lost the pages for which `lost` is true, and has the rest bit for bit; its memory
/// counters say the same.
pub fn check_parts(
    checks: &mut Checks,
    shape: &Shape<'_>,
    k: usize,
    lost: &dyn Fn(usize) -> bool,
    (before, after): (&Snapshot, &Snapshot),
) {
    let gone = check_part_entries(checks, shape, k, lost, (before, after));
    let kb = (gone * page_size() / 1024) as u64;
    let (a, b) = (&before.processes[k].status, &after.processes[k].status);
    let what = |field| format!("{field} of process {k}");
    checks.eq(&what("RssAnon"), b.rss_anon + kb, a.rss_anon);
    checks.eq(&what("VmSwap"), b.vm_swap, a.vm_swap + kb);
}

/// The entries alone: how many process `k` has lost.
pub fn check_part_entries(
    checks: &mut Checks,
    shape: &Shape<'_>,
    k: usize,
    lost: &dyn Fn(usize) -> bool,
    (before, after): (&Snapshot, &Snapshot),
) -> usize {
    let (was, now) = (&before.processes[k], &after.processes[k]);
    let slot = facts::first_slot(after);
    let mut gone = 0;
    for (i, entry) in now.pages.iter().enumerate() {
        let ok = match shape.pages[k][i].is_some() && lost(i) {
            true => {
                gone += 1;
                entry.swap_offset() == slot.map(|s| s + i as u64)
            }
            // How often the page is mapped (bit 56) changes when another process lost it.
            false => (entry.0 ^ was.pages[i].0) & !(1 << 56) == 0,
        };
        checks.that(ok, || {
            format!(
                "entry {i} of process {k}: was {:#x}, is {:#x}",
                was.pages[i].0, entry.0
            )
        });
    }
    gone
}
