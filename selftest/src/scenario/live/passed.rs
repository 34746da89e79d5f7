// SPDX-License-Identifier: GPL-2.0

//! What live mode leaves to the kernel, and the reason that it counts.

use std::ops::RangeInclusive;

use crate::cgroup::Cgroup;
use crate::knobs;
use crate::live::{self, Since};
use crate::observe::{kpage, pagemap};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Folio, Mapping};
use crate::subject::{Family, Subject};
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
const REASONS: [&str; 6] = ["small", "file", "ksm", "hugetlb", "hwpoison", "asked"];

/// All of them.
pub fn tests() -> Vec<Test> {
    vec![
        Test::new("live: path=kernel stays the kernel's", |checks| {
            asked(checks, 4)
        }),
        Test::new("live: path=kernel stays the kernel's, a single page", |c| {
            asked(c, 0)
        }),
        Test::new("live: a single page stays the kernel's", small),
        Test::new("live: a large folio of shmem stays the kernel's", shmem),
        Test::new("live: a KSM page stays the kernel's", ksm),
    ]
}

/// Does something in live mode, and checks that no call was taken, and that as many as in `calls`
/// were passed on, all for the same reason.
fn passed_on(
    checks: &mut Checks,
    (reason, calls): (&str, RangeInclusive<u64>),
    act: impl FnOnce() -> Result<(), Stop>,
) -> Result<(), Stop> {
    live::set(true)?;
    let since = Since::now()?;
    act()?;
    since.check(checks, &[("live_taken", 0), ("batches", 0)])?;
    for each in REASONS {
        let want = if each == reason { &calls } else { &(0..=0) };
        let passed = since.moved(&format!("live_passed_{each}"))?;
        checks.that(want.contains(&passed), || {
            format!("passed on as {each}: {passed}, not {want:?}")
        });
    }
    live::set(false)
}

fn asked(checks: &mut Checks, order: u32) -> Result<(), Stop> {
    whole::must_be_swapped(order)?;
    let family = Family::new(1)?;
    let shape = shape::exclusive(&family, order, Mapping::Pte)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, Path::Kernel);
    let since = Since::now()?;
    passed_on(checks, ("asked", 1..=1), || {
        let errno = trigger::request(&request)?.errno;
        match errno {
            0 => Ok(()),
            _ => Err(Stop::Fail(format!("the request fails: errno {errno}"))),
        }
    })?;
    since.check(checks, &[("unmapped", 1 << order)])
}

fn small(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = shape::exclusive(&family, 0, Mapping::Pte)?;
    let (subject, address) = (&shape.subjects[0], shape.folio.address);
    passed_on(checks, ("small", 1..=1), || {
        subject.madvise(address, bytes(1), libc::MADV_PAGEOUT)
    })?;
    let swapped = pagemap::read(subject.pid, address, 1)?[0].swapped();
    checks.eq("swapped", swapped, true);
    Ok(())
}

fn shmem(checks: &mut Checks) -> Result<(), Stop> {
    const ORDER: u32 = 4;
    let setting = format!(
        "/sys/kernel/mm/transparent_hugepage/hugepages-{}kB/shmem_enabled",
        bytes(1 << ORDER) / 1024
    );
    let no = |e| Stop::Skip(format!("no large folios of shmem: {e}"));
    let was = knobs::read(&setting).map_err(no)?;
    knobs::write(&setting, "always").map_err(no)?;
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let made = map_shmem(&subject, ORDER);
    knobs::write(&setting, &was)?;
    let folio = made?;
    // Some kernels split it on the way, and go on with its pages.
    passed_on(checks, ("file", 1..=1 + folio.pages as u64), || {
        subject.madvise(folio.address, bytes(folio.pages), libc::MADV_PAGEOUT)
    })?;
    let entries = pagemap::read(subject.pid, folio.address, folio.pages)?;
    let mapped = entries.iter().filter(|entry| entry.present()).count();
    checks.eq("pages that are mapped", mapped, 0);
    Ok(())
}

fn map_shmem(subject: &Subject<'_>, order: u32) -> Result<Folio, Stop> {
    subject.large_folios(true)?;
    let len = bytes(1 << order);
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // Aligned inside: where it begins in the file, it begins in memory.
    let address = subject.map(len, RW, flags, -1)?;
    subject.fill(address, len, shape::SEED)?;
    let frames = pagemap::read(subject.pid, address, 1 << order)?;
    let Some(pfn) = frames[0].pfn() else {
        return Err(Stop::Fail("a page just written is not present".into()));
    };
    let all = kpage::flags(pfn, 1 << order)?;
    match all[1..].iter().all(|flags| flags.has("tail")) {
        true => Ok(Folio {
            address,
            pages: 1 << order,
            order,
            pfn,
        }),
        false => Err(Stop::Skip("no large folio of shmem was made".into())),
    }
}

/// Reclaim has to unmap it twice.
fn ksm(checks: &mut Checks) -> Result<(), Stop> {
    let cgroup = Cgroup::enter()?;
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let address = shape::ksm_page(&subject)?;
    live::set(true)?;
    let since = Since::now()?;
    cgroup.reclaim_anon()?;
    since.check(checks, &[("live_passed_ksm", 2)])?;
    live::set(false)?;
    let pages = pagemap::read(subject.pid, address, 2)?;
    checks.eq("swapped", pages.iter().all(|page| page.swapped()), true);
    let bytes = [subject.peek(address)?, subject.peek(address + bytes(1))?];
    checks.eq("content", bytes, [0xa5; 2]);
    Ok(())
}
