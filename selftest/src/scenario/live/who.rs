// SPDX-License-Identifier: GPL-2.0

//! Who reclaims, beyond MADV_PAGEOUT and memory.reclaim: DAMON, kswapd, and who allocates.

use std::thread::sleep;
use std::time::Duration;

use crate::damon::Damon;
use crate::knobs::{self, BusyKswapd};
use crate::live::{self, Since};
use crate::observe::{vmstat, System};
use crate::runner::Test;
use crate::shape::{self, bytes, reserve, whole, Mapping, SEED};
use crate::subject::{Family, Subject};
use crate::verdict::{Checks, Stop};

/// Of folios of this order the memory is made.
const ORDER: u32 = 4;
/// How many there are.
const FOLIOS: u64 = 64;
/// How often it is looked whether they have gone, in tenths of a second.
const PATIENCE: usize = 300;

/// All of them.
pub fn tests() -> Vec<Test> {
    vec![
        Test::new("live: DAMON, 64 kB", by_damon),
        Test::new("live: kswapd, 64 kB", |c| reclaimed(c, Who::Kswapd)),
        Test::new("live: direct reclaim, 64 kB", |c| {
            reclaimed(c, Who::Allocator)
        }),
    ]
}

/// A scheme of DAMON pages out the memory of one folio, which nobody touches.
fn by_damon(checks: &mut Checks) -> Result<(), Stop> {
    whole::must_be_swapped(ORDER)?;
    let family = Family::new(1)?;
    let shape = shape::exclusive(&family, ORDER, Mapping::Pte)?;
    let folio = shape.folio;
    live::set(true)?;
    let since = Since::now()?;
    let damon = Damon::page_out(folio.pfn, folio.pages)?;
    for _ in 0..PATIENCE {
        if shape.look()?.processes[0].pages.iter().all(|p| p.swapped()) {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    checks.that(damon.applied()? > 0, || "DAMON has not tried it".into());
    drop(damon);
    live::set(false)?;
    since.check(
        checks,
        &[
            ("live_taken", 1),
            ("live_folios", 1),
            ("live_pages", folio.pages as u64),
            ("batches", 1),
        ],
    )?;
    let differs = shape.subjects[0].compare(folio.address, bytes(folio.pages), SEED)?;
    checks.eq("first byte that differs", differs, None);
    Ok(())
}

/// Who has to make room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Free memory is made scarce, but not so scarce that who allocates has to reclaim.
    Kswapd,
    /// Who touches memory beyond what its control group may use has to reclaim some first.
    Allocator,
}

impl Who {
    /// What /proc/vmstat counts for each.
    const EVENTS: [(&str, Option<Who>); 3] = [
        ("pgsteal_kswapd", Some(Who::Kswapd)),
        ("pgsteal_direct", Some(Who::Allocator)),
        ("pgsteal_khugepaged", None),
    ];
}

/// Has memory reclaimed while live mode is on, and checks who did it, and that the module unmapped
/// all large folios that went out.
fn reclaimed(checks: &mut Checks, who: Who) -> Result<(), Stop> {
    whole::must_be_swapped(ORDER)?;
    knobs::only_folios_of(Some(bytes(1 << ORDER) as usize / 1024))?;
    let family = Family::in_cgroup(1, false)?;
    let subject = family.spawn()?;
    subject.large_folios(true)?;

    live::set(true)?;
    let stats = Since::now()?;
    let system = System::take()?;
    let before = Who::EVENTS.map(|(event, _)| vmstat::summed(event));
    if let (Who::Allocator, Some(cgroup)) = (who, subject.cgroup()) {
        let half = FOLIOS * bytes(1 << ORDER) / 2;
        let limit = cgroup.number("memory.current")? + half;
        cgroup.set("memory.max", &limit.to_string())?;
    }
    let address = make(&subject)?;
    let busy = match who {
        Who::Kswapd => Some(BusyKswapd::new()?),
        Who::Allocator => None,
    };
    let swpout = format!("{}kB/swpout", bytes(1 << ORDER) / 1024);
    for _ in 0..PATIENCE {
        if System::take()?.moved(&system, &swpout) >= FOLIOS as i64 / 4 {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    // What goes out when live mode is off again, for kswapd goes on, the kernel unmaps.
    let out = System::take()?.moved(&system, &swpout);
    drop(busy);
    live::set(false)?;

    for ((event, whose), before) in Who::EVENTS.into_iter().zip(before) {
        let moved = vmstat::summed(event)? - before?;
        checks.that((moved > 0) == (whose == Some(who)), || {
            format!("{event} has moved by {moved}")
        });
    }
    checks.that(out > 0, || "no large folio went out".into());
    let (folios, taken) = (stats.moved("live_folios")?, stats.moved("live_taken")?);
    // What was unmapped and touched again before it was written is counted by live mode alone.
    checks.that(folios >= out as u64 && taken >= folios, || {
        format!("{out} large folios out, but {taken} calls taken, {folios} of them to the end")
    });
    let len = FOLIOS * bytes(1 << ORDER);
    let differs = subject.compare(address, len, SEED)?;
    checks.eq("first byte that differs", differs, None);
    Ok(())
}

/// Memory of [`FOLIOS`] folios.
fn make(subject: &Subject<'_>) -> Result<u64, Stop> {
    let len = FOLIOS * bytes(1 << ORDER);
    let address = reserve(subject, len, libc::MAP_PRIVATE)?;
    subject.protect(address, len, libc::PROT_READ | libc::PROT_WRITE)?;
    subject.madvise(address, len, libc::MADV_HUGEPAGE)?;
    subject.fill(address, len, SEED)?;
    Ok(address)
}
