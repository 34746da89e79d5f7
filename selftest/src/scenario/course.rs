// SPDX-License-Identifier: GPL-2.0

//! The course of most tests: unmap the whole folio, read it back, write to it, let go of it.
//!
//! At every step what is seen is held against what the shape says must be seen. The facts that
//! are returned serve to compare two ways of unmapping.

use std::thread::sleep;
use std::time::Duration;

use super::facts::{self, Facts};
use crate::knobs;
use crate::live::{self, Since};
use crate::observe::{kpage, Snapshot, System};
use crate::shape::{folio, Shape};
use crate::subject::Faults;
use crate::sys::{self, errno_name, page_size};
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// Who unmaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The module, by either path.
    Module(Path),
    /// `madvise(MADV_PAGEOUT)`: the kernel by itself, without the module.
    Pageout,
    /// The same in live mode: the module, called by the kernel.
    Live,
}

/// One way through the course.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Who unmaps.
    pub via: Via,
    /// Whether the folio is written to swap and freed.
    pub reclaim: bool,
    /// The address in the request, as an offset into the folio.
    pub offset: u64,
}

impl Via {
    /// Its name in diagnostics.
    pub fn name(self) -> &'static str {
        match self {
            Via::Module(Path::Kernel) => "kernel",
            Via::Module(Path::Batched) => "batched",
            Via::Pageout => "pageout",
            Via::Live => "live",
        }
    }
}

/// Runs the course on a shape made by `make` for every plan, and compares what was seen.
pub fn compare<'f>(
    checks: &mut Checks,
    plans: &[Plan],
    make: &dyn Fn() -> Result<Shape<'f>, Stop>,
) -> Result<(), Stop> {
    let mut all: Vec<(&str, Facts)> = Vec::new();
    for plan in plans {
        let name = plan.via.name();
        checks.context(name);
        all.push((name, run(checks, plan, make)?));
    }
    checks.context("");
    for pair in all.windows(2) {
        let [(a, x), (b, y)] = pair else { continue };
        facts::agree(checks, (a, x), (b, y));
    }
    Ok(())
}

/// Runs the course once.
pub fn run<'f>(
    checks: &mut Checks,
    plan: &Plan,
    make: &dyn Fn() -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    let origin = System::take()?;
    let mut shape = make()?;
    let folio = shape.folio;
    let mut seen = Facts::new();
    let before = shape.look()?;

    let broken = checks.broken().len();
    let since = Since::now()?;
    let answer = unmap(&shape, plan)?;
    let after = shape.look()?;
    if plan.via == Via::Live {
        check_live(checks, &shape, &since)?;
    }
    if let Some(answer) = &answer {
        check_report(checks, &shape, plan, answer);
    }
    check_unmapped(checks, &shape, plan, &before, &after);
    facts::note(&mut seen, ("unmapped", true), &folio, &before, &after);
    if !plan.reclaim {
        facts::note_frames(&mut seen, "unmapped", &after);
    }

    if checks.broken().len() > broken {
        // To fault in what is wrong can take the whole guest down (BUG_ON() in do_swap_page()),
        // and then nobody learns what was wrong.
        return Err(Stop::Fail("not read back after that".into()));
    }

    let faults = read_back(checks, &shape)?;
    seen.insert("read back: faults".into(), format!("{faults:?}"));
    let back = shape.look()?;
    check_back(checks, &shape, plan, &before, &back, &faults);
    facts::note(
        &mut seen,
        ("read back", !plan.reclaim),
        &folio,
        &before,
        &back,
    );

    shape.allow_writes()?;
    let faults = write_all(checks, &shape)?;
    seen.insert("written: faults".into(), format!("{faults:?}"));
    let written = shape.look()?;
    check_written(checks, &shape, &back, &written, &faults);
    facts::note(&mut seen, ("written", false), &folio, &before, &written);

    for subject in shape.subjects.drain(..) {
        subject.exit()?;
    }
    let gone = check_gone(checks, (folio.pfn, folio.pages), &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    Ok(seen)
}

fn unmap(shape: &Shape<'_>, plan: &Plan) -> Result<Option<Answer>, Stop> {
    let folio = &shape.folio;
    let subject = &shape.subjects[0];
    Ok(match plan.via {
        Via::Pageout | Via::Live => {
            live::set(plan.via == Via::Live)?;
            subject.madvise(folio.address, folio.len(), libc::MADV_PAGEOUT)?;
            None
        }
        Via::Module(path) => Some(trigger::request(&Request {
            reclaim: plan.reclaim,
            ..Request::new(subject.pid, folio.address + plan.offset, path)
        })?),
    })
}

/// Holds the report of a whole unmap against what the shape says.
fn check_report(checks: &mut Checks, shape: &Shape<'_>, plan: &Plan, answer: &Answer) {
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
fn check_live(checks: &mut Checks, shape: &Shape<'_>, since: &Since) -> Result<(), Stop> {
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
fn check_unmapped(
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
        for (name, bit) in [("soft-dirty", 55), ("uffd-wp", 57), ("file", 61)] {
            let bits = |pages: &[crate::observe::pagemap::Entry]| -> String {
                pages
                    .iter()
                    .map(|e| if e.0 & (1 << bit) == 0 { '0' } else { '1' })
                    .collect()
            };
            let what = format!("{name} bits of process {k}");
            checks.eq(&what, bits(&now.pages), bits(&was.pages));
        }

        let kb = (pages.iter().flatten().count() * page_size() / 1024) as u64;
        let (a, b) = (&was.status, &now.status);
        let what = |field| format!("{field} of process {k}");
        checks.eq(&what("RssAnon"), b.rss_anon + kb, a.rss_anon);
        checks.eq(&what("VmSwap"), b.vm_swap, a.vm_swap + kb);
        checks.eq(&what("smaps Anonymous"), now.smaps.kb("Anonymous"), 0);
        checks.eq(&what("smaps Swap"), now.smaps.kb("Swap"), kb);
        checks.eq(
            &what("smaps AnonHugePages"),
            now.smaps.kb("AnonHugePages"),
            0,
        );
        check_high_water(checks, k, a.vm_rss, b.vm_hwm);
    }
    types.dedup();
    checks.eq("number of swap devices used", types.len(), 1);
    checks.eq(
        "swap used",
        after.system.swap_used_kb,
        before.system.swap_used_kb + folio.size_kb() as u64,
    );
    check_events(checks, shape, plan, before, after);
    if plan.reclaim {
        return;
    }
    for (i, (flags, count)) in after.frames.iter().enumerate() {
        let bad = *count != 0
            || !flags.has("swapcache")
            || !flags.has("dirty")
            || ["locked", "mmap", "exclusive", "writeback"]
                .iter()
                .any(|f| flags.has(f));
        checks.that(!bad, || {
            format!("page frame {i} after the unmap: {} x{count}", flags.names())
        });
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

/// The high-water mark must remember what was resident before.
///
/// The kernel takes it from counters that it does not sum up: each of the three may be off by a
/// per-CPU batch on every CPU.
fn check_high_water(checks: &mut Checks, k: usize, rss_before: u64, hwm_after: u64) {
    let cpus = sys::cpus();
    let slack_kb = 3 * cpus * (32.max(2 * cpus)) * page_size() as u64 / 1024;
    checks.that(hwm_after + slack_kb >= rss_before, || {
        format!("VmHWM of process {k}: {hwm_after} kB, but {rss_before} kB were resident before")
    });
}

/// Reads every byte in every process.
pub fn read_back(checks: &mut Checks, shape: &Shape<'_>) -> Result<Vec<Faults>, Stop> {
    let mut taken = Vec::new();
    for (k, subject) in shape.subjects.iter().enumerate() {
        let start = subject.faults()?;
        for (at, len) in shape.spans(k) {
            let differs = subject.compare(at, len, folio::SEED)?;
            checks.that(differs.is_none(), || {
                format!(
                    "content of process {k} differs from page {} on",
                    (differs.unwrap_or(0) - shape.folio.address) / page_size() as u64
                )
            });
        }
        taken.push(since(subject.faults()?, start));
    }
    Ok(taken)
}

fn since(now: Faults, then: Faults) -> Faults {
    Faults {
        minor: now.minor - then.minor,
        major: now.major - then.major,
    }
}

/// After the read, everything is mapped again as it was, though not yet writable where shared.
fn check_back(
    checks: &mut Checks,
    shape: &Shape<'_>,
    plan: &Plan,
    before: &Snapshot,
    back: &Snapshot,
    faults: &[Faults],
) {
    for (k, (was, now)) in before.processes.iter().zip(&back.processes).enumerate() {
        let what = |field| format!("{field} of process {k} after reading back");
        checks.eq(&what("RssAnon"), now.status.rss_anon, was.status.rss_anon);
        checks.eq(&what("VmSwap"), now.status.vm_swap, was.status.vm_swap);
        checks.eq(&what("smaps Swap"), now.smaps.kb("Swap"), 0);
        if !plan.reclaim {
            let row = |s: &Snapshot| facts::row(&s.processes[k].pages, &shape.folio, None);
            checks.eq(&what("pages"), row(back), row(before));
            checks.eq(&what("major faults"), faults[k].major, 0);
        }
    }
}

/// Each process writes a pattern of its own, then all look whether theirs is still there.
pub fn write_all(checks: &mut Checks, shape: &Shape<'_>) -> Result<Vec<Faults>, Stop> {
    let mut taken = Vec::new();
    for (k, subject) in shape.subjects.iter().enumerate() {
        let start = subject.faults()?;
        for (at, len) in shape.spans(k) {
            subject.fill(at, len, own_seed(k))?;
        }
        taken.push(since(subject.faults()?, start));
        check_not_leaked(checks, shape, k)?;
    }
    check_own_writes(checks, shape)?;
    Ok(taken)
}

/// The process after `k`, which has not yet written, must not see what `k` wrote.
fn check_not_leaked(checks: &mut Checks, shape: &Shape<'_>, k: usize) -> Result<(), Stop> {
    let Some(next) = shape.subjects.get(k + 1) else {
        return Ok(());
    };
    for (at, len) in shape.spans(k + 1) {
        let differs = next.compare(at, len, folio::SEED)?;
        checks.that(differs.is_none(), || {
            format!(
                "process {} sees what process {k} wrote, from page {} on",
                k + 1,
                (differs.unwrap_or(0) - shape.folio.address) / page_size() as u64
            )
        });
    }
    Ok(())
}

fn own_seed(k: usize) -> u64 {
    folio::SEED + 1 + k as u64
}

/// Each process must see what it wrote itself, and nothing of what the others did.
pub fn check_own_writes(checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
    for (k, subject) in shape.subjects.iter().enumerate() {
        for (at, len) in shape.spans(k) {
            let differs = subject.compare(at, len, own_seed(k))?;
            checks.that(differs.is_none(), || {
                format!(
                    "process {k} does not see its own writes from page {} on",
                    (differs.unwrap_or(0) - shape.folio.address) / page_size() as u64
                )
            });
        }
    }
    Ok(())
}

/// A write to an exclusive page takes no fault and stays in its frame; one to a shared page
/// faults. So a swap entry that lost its exclusive bit is seen, and one that won it as well.
fn check_written(
    checks: &mut Checks,
    shape: &Shape<'_>,
    back: &Snapshot,
    written: &Snapshot,
    faults: &[Faults],
) {
    for (k, pages) in shape.pages.iter().enumerate() {
        let silent = |p: &&crate::shape::Page| p.exclusive && p.soft_dirty;
        let mapped = pages.iter().flatten();
        let loud = mapped.clone().count() - mapped.filter(silent).count();
        let what = format!("minor faults of process {k} when it wrote");
        checks.eq(&what, faults[k].minor, loud as u64);
        for (i, page) in pages.iter().enumerate() {
            let pfn = |s: &Snapshot| s.processes[k].pages[i].pfn();
            if page.is_some_and(|p| p.exclusive) {
                checks.that(pfn(back) == pfn(written), || {
                    format!("exclusive page {i} of process {k} was copied by a write")
                });
            }
        }
    }
}

/// When the processes are gone, all must be as it was before they came.
pub fn check_gone(
    checks: &mut Checks,
    (pfn, pages): (u64, usize),
    origin: &System,
) -> Result<System, Stop> {
    let mut attempt = 0;
    loop {
        let mut left = Vec::new();
        let now = System::take()?;
        if now.swap_used_kb != origin.swap_used_kb {
            let (a, b) = (now.swap_used_kb, origin.swap_used_kb);
            left.push(format!("swap used is {a} kB, was {b} kB"));
        }
        for event in now.events.keys().filter(|e| e.contains("/nr_anon")) {
            let moved = now.moved(origin, event);
            if moved != 0 {
                left.push(format!("{event} is off by {moved}"));
            }
        }
        let frames = kpage::flags(pfn, pages)?.into_iter();
        let orphans = frames.filter(|f| f.has("anon") && !f.has("mmap")).count();
        if orphans > 0 {
            left.push(format!(
                "{orphans} page frames are still anonymous memory of nobody"
            ));
        }
        if left.is_empty() {
            return Ok(now);
        }
        attempt += 1;
        match attempt {
            // Per-CPU lists hold references for a while; this drains them.
            2 => knobs::write("/proc/sys/vm/drop_caches", "1")?,
            20 => {
                checks.that(false, || left.join("\n"));
                return Ok(now);
            }
            _ => sleep(Duration::from_millis(20)),
        }
    }
}
