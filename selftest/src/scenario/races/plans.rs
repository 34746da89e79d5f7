// SPDX-License-Identifier: GPL-2.0

//! What races with requests, and how much of it has to be seen.

use super::{Race, EXITS};
use crate::knobs;
use crate::observe::swaps;
use crate::race::{Op, Plan};
use crate::sys;

/// The folio that most tests race for.
const ORDER: u32 = 4;
/// With what a request may fail where folios are split: pages of zeroes become the zero page.
const SPLIT_ERRNOS: &[i32] = &[libc::EOPNOTSUPP];

const EVERYTHING: &[Op] = &[
    Op::Fork,
    Op::Unmap,
    Op::Protect,
    Op::Move,
    Op::Pageout,
    Op::Pin,
    Op::Merge,
    Op::Unmerge,
];
const LAZILY_FREED: &[Op] = &[
    Op::Free,
    Op::Fork,
    Op::Unmap,
    Op::Protect,
    Op::Move,
    Op::Pin,
];

/// All of them, for so many CPUs.
pub fn races(cpus: u64) -> Vec<Race> {
    let mut all = requests(cpus);
    all.extend(live(cpus));
    all.extend(one_op(cpus));
    all.extend(collapsed(cpus));
    all.extend(lazily_freed(cpus));
    all.extend(everything(cpus));
    all
}

/// What a race begins with: threads that write and read, and one who makes requests.
fn plain(cpus: u64, name: &'static str, ops: &'static [Op]) -> Race {
    Race {
        name,
        order: Some(ORDER),
        plan: Plan {
            pages: 1 << ORDER,
            ops,
            rarely: 8,
            writes: 8,
            triggers: 1,
            reclaim: true,
            live: false,
            renew: true,
            split: false,
            large: sys::repeats(50),
            whole: sys::repeats(50),
            raced: raced(cpus, 10),
            restored: 0,
            met: 0,
            refused: 0,
            each: sys::repeats(20),
            dropped: 0,
            redeemed: 0,
            switched: 0,
            event: None,
            errnos: &[],
        },
        ready: || Ok(()),
        exits: false,
        swap: true,
    }
}

/// How many batches have to meet a race. With one CPU a request only meets what was interrupted in
/// the middle.
fn raced(cpus: u64, times: u64) -> u64 {
    if cpus == 1 {
        1
    } else {
        sys::repeats(times)
    }
}

/// Nothing but threads and requests.
fn requests(cpus: u64) -> Vec<Race> {
    let mut threads = plain(cpus, "threads", &[]);
    threads.plan.whole = sys::repeats(200);

    let mut two = plain(cpus, "two requests at once", &[]);
    two.plan.triggers = 2;
    two.plan.whole = sys::repeats(200);
    if cpus > 1 {
        two.plan.met = sys::repeats(40);
        two.plan.refused = sys::repeats(10);
    }

    let mut exits = plain(cpus, "exit", &[]);
    exits.exits = true;
    exits.plan.large = EXITS;
    exits.plan.whole = 1;
    exits.plan.raced = u64::from(cpus > 1);
    exits.plan.errnos = &[libc::ESRCH];

    let mut swapoff = plain(cpus, "swapoff", &[]);
    swapoff.plan.switched = sys::repeats(20);
    // What stays in the swap cache. When swapoff comes across a large folio that a fault has read
    // in and not mapped yet, the kernel itself counts one entry as a mapping of all of its pages
    // (mm/swapfile.c: unuse_pte(), which expects small ones there).
    swapoff.plan.reclaim = false;
    swapoff.plan.errnos = &[libc::ENOSPC];

    vec![threads, two, exits, swapoff]
}

/// Reclaim by the kernel, in live mode.
fn live(cpus: u64) -> Vec<Race> {
    let mut live = plain(cpus, "live, MADV_PAGEOUT by all threads", &[Op::Pageout]);
    live.plan.triggers = 0;
    live.plan.live = true;
    live.plan.whole = sys::repeats(100);

    // Between the write to swap and a flush that was put off until after it there is not much time
    // for a write to get lost: threads that do nothing but write will hit it.
    let mut without_pause = live.clone();
    without_pause.name = "live, pages written without a pause";
    without_pause.plan.writes = 2000;
    without_pause.plan.whole = sys::repeats(30);
    without_pause.plan.large = sys::repeats(30);

    vec![live, without_pause]
}

/// One operation that gets in the way.
fn one_op(cpus: u64) -> Vec<Race> {
    let mut pins = plain(cpus, "pins", &[Op::Pin]);
    // What meets a pin is not unmapped, or not all of it.
    pins.plan.whole = 0;
    pins.plan.restored = if cpus == 1 { 0 } else { sys::repeats(20) };

    let mut split = plain(cpus, "split", &[Op::Split]);
    split.plan.large = sys::repeats(15);
    split.plan.whole = sys::repeats(15);
    split.plan.raced = raced(cpus, 5);
    split.plan.errnos = SPLIT_ERRNOS;

    let mut ksm = plain(cpus, "KSM", &[Op::Merge, Op::Unmerge]);
    ksm.ready = knobs::busy_ksm;
    ksm.plan.event = Some(("cow_ksm", 10));
    ksm.plan.large = sys::repeats(10);
    ksm.plan.whole = sys::repeats(10);
    ksm.plan.raced = raced(cpus, 5);
    ksm.plan.errnos = &[libc::EOPNOTSUPP];

    vec![
        pins,
        plain(cpus, "mprotect", &[Op::Protect]),
        plain(cpus, "fork", &[Op::Fork]),
        plain(cpus, "munmap", &[Op::Unmap]),
        plain(cpus, "mremap", &[Op::Move]),
        split,
        plain(cpus, "mlock", &[Op::Lock]),
        ksm,
    ]
}

/// Small folios that become large ones.
fn collapsed(cpus: u64) -> Vec<Race> {
    let mut collapse = plain(cpus, "MADV_COLLAPSE", &[Op::Collapse]);
    collapse.order = None;
    collapse.plan.large = sys::repeats(20);
    collapse.plan.whole = sys::repeats(20);
    collapse.plan.raced = raced(cpus, 5);
    collapse.plan.each = 2;
    // To collapse them makes them large again.
    collapse.plan.renew = false;

    let mut khugepaged = collapse.clone();
    khugepaged.name = "khugepaged";
    khugepaged.plan.ops = &[];
    khugepaged.ready = knobs::busy_khugepaged;
    khugepaged.plan.large = sys::repeats(10);
    khugepaged.plan.whole = sys::repeats(10);
    khugepaged.plan.raced = raced(cpus, 3);
    khugepaged.plan.split = true;
    khugepaged.plan.errnos = SPLIT_ERRNOS;
    khugepaged.plan.event = Some(("thp_collapse_alloc", 2));

    vec![collapse, khugepaged]
}

/// Memory that the kernel may drop.
fn lazily_freed(cpus: u64) -> Vec<Race> {
    let mut free = plain(cpus, "MADV_FREE", &[Op::Free]);
    free.plan.large = sys::repeats(30);
    free.plan.whole = sys::repeats(30);
    free.plan.restored = sys::repeats(5);
    free.plan.dropped = sys::repeats(200);
    free.plan.redeemed = sys::repeats(200);
    free.plan.event = Some(("pglazyfreed", 100));
    free.plan.errnos = SPLIT_ERRNOS;

    // Lazily freed folios take no swap slots.
    let mut no_swap = free.clone();
    no_swap.name = "MADV_FREE, no swap";
    no_swap.swap = false;
    no_swap.plan.large = sys::repeats(20);
    no_swap.plan.whole = sys::repeats(20);
    no_swap.plan.rarely = 3;
    no_swap.ready = || {
        let areas = swaps::areas()?;
        areas.iter().try_for_each(|area| sys::swapoff(&area.path))
    };
    no_swap.plan.errnos = &[libc::EOPNOTSUPP, libc::ENOSPC];

    let mut forked = plain(cpus, "MADV_FREE and more", LAZILY_FREED);
    forked.plan.triggers = 2;
    forked.plan.dropped = sys::repeats(50);
    forked.plan.redeemed = sys::repeats(50);
    forked.plan.each = sys::repeats(10);
    forked.plan.errnos = SPLIT_ERRNOS;

    vec![free, no_swap, forked]
}

/// All at once.
fn everything(cpus: u64) -> Vec<Race> {
    let mut everything = plain(cpus, "everything", EVERYTHING);
    everything.plan.triggers = 2;
    everything.plan.live = true;
    everything.plan.rarely = 16;
    everything.plan.whole = sys::repeats(if cpus > 2 { 100 } else { 200 });
    everything.plan.errnos = &[libc::EOPNOTSUPP];
    everything.plan.each = sys::repeats(5);
    everything.ready = knobs::busy_ksm;
    vec![everything]
}
