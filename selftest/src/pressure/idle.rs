// SPDX-License-Identifier: GPL-2.0

//! What a machine has in use before and after it was under pressure.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::knobs;
use crate::observe::{meminfo, mthp, vmstat, System};
use crate::verdict::{Checks, Stop};

/// Of this much the kernel may make other use: slab, page tables of others.
const SLACK_KB: u64 = 8 << 10;
/// KASAN keeps freed objects from being used again, up to this part of all memory
/// (mm/kasan/quarantine.c).
const KASAN_KEEPS: u64 = 32;

/// What is free and what is in use when no test runs.
pub struct Idle {
    free_kb: u64,
    anon_kb: u64,
    /// Swap and folios.
    pub system: System,
    slack_kb: u64,
}

impl Idle {
    /// Looks, when what is freed late has been freed.
    pub fn look() -> io::Result<Self> {
        // Also drains the LRU lists of all CPUs.
        knobs::write("/proc/sys/vm/drop_caches", "3")?;
        let [free_kb, anon_kb, total_kb] = meminfo::read(["MemFree", "AnonPages", "MemTotal"])?;
        Ok(Idle {
            free_kb: free_kb + meminfo::free_by_cpu_kb()?,
            anon_kb,
            system: System::take()?,
            slack_kb: SLACK_KB
                + if has_kasan() {
                    total_kb / KASAN_KEEPS
                } else {
                    0
                },
        })
    }

    /// Nothing is in use that was not.
    fn like(&self, before: &Self) -> bool {
        self.system.swap_used_kb == before.system.swap_used_kb
            && self.anon_kb <= before.anon_kb + SLACK_KB / 8
            && self.free_kb + self.slack_kb >= before.free_kb
    }
}

impl fmt::Display for Idle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Idle {
            free_kb,
            anon_kb,
            system,
            ..
        } = self;
        let swap_kb = system.swap_used_kb;
        write!(
            f,
            "{free_kb} kB free, {anon_kb} kB anonymous, {swap_kb} kB in swap"
        )
    }
}

fn has_kasan() -> bool {
    static HAS: OnceLock<bool> = OnceLock::new();
    *HAS.get_or_init(|| {
        // Line by line: the whole would be megabytes of this process's memory.
        let symbols = File::open("/proc/kallsyms").map(BufReader::new);
        let mut lines = symbols.into_iter().flat_map(BufRead::lines).flatten();
        lines.any(|line| line.ends_with(" kasan_quarantine_reduce"))
    })
}

/// All memory and swap must be as before; some is given back a moment after the processes' end.
pub fn check_nothing_stays(
    checks: &mut Checks,
    memcg: &Cgroup,
    before: &Idle,
    say: &mut dyn FnMut(String),
) -> Result<(), Stop> {
    let mut now = Idle::look()?;
    for _ in 0..50 {
        if now.like(before) && memcg.number("memory.swap.current")? == 0 {
            break;
        }
        sleep(Duration::from_millis(100));
        now = Idle::look()?;
    }
    let left_kb = now
        .system
        .swap_used_kb
        .saturating_sub(before.system.swap_used_kb);
    if left_kb > 0 {
        // A folio that was locked when its last user went stays in the swap cache until reclaim comes
        // by. Swapoff frees it; for slots without a folio and without a user it would never end.
        let cached_kb = vmstat::swap_cached_kb()?;
        say(format!(
            "{left_kb} kB in swap, {cached_kb} kB in the swap cache"
        ));
        checks.that(cached_kb >= left_kb, || {
            format!("{left_kb} kB in swap, of which the swap cache has {cached_kb} kB")
        });
        knobs::empty_swap()?;
        now = Idle::look()?;
    }
    checks.eq(
        "swap in use, kB",
        now.system.swap_used_kb,
        before.system.swap_used_kb,
    );
    checks.eq("swap of the group", memcg.number("memory.swap.current")?, 0);
    checks.eq(
        "kills for lack of memory",
        memcg.value("memory.events", "oom_kill")?,
        0,
    );
    checks.that(now.like(before), || {
        format!("memory does not come back: {before}, now {now}")
    });
    for kb in mthp::sizes() {
        let name = format!("{kb}kB/nr_anon");
        checks.eq(&name, now.system.moved(&before.system, &name), 0);
    }
    Ok(())
}
