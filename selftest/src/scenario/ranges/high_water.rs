// SPDX-License-Identifier: GPL-2.0

//! So much memory at once that the high-water mark of the resident set shows whether it was taken
//! before the counters were lowered.

use crate::knobs;
use crate::observe::{status, System};
use crate::scenario::course;
use crate::scenario::facts::Facts;
use crate::shape::{bytes, folio, whole};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Request};
use crate::verdict::{Checks, Stop};

/// Folios of 16 pages, or single pages where such are not swapped whole.
const ORDER: u32 = 4;

/// Unmaps several times what the mark may be off by.
pub(super) fn high_water(checks: &mut Checks, path: Path) -> Result<Facts, Stop> {
    let family = Family::new(1)?;
    let origin = System::take()?;
    let subject = family.spawn()?;
    let slack = course::high_water_slack_kb() * 1024;
    let len = (4 * slack).max(8 << 20).next_multiple_of(bytes(1 << ORDER));
    let at = folio::reserve(&subject, len, libc::MAP_PRIVATE)?;
    let order = whole::order_or_page(ORDER)?;
    let size_kb = (order > 0).then(|| bytes(1 << order) as usize / 1024);
    knobs::only_folios_of(size_kb)?;
    subject.large_folios(true)?;
    subject.protect(at, len, libc::PROT_READ | libc::PROT_WRITE)?;
    let advice = match order {
        0 => libc::MADV_NOHUGEPAGE,
        _ => libc::MADV_HUGEPAGE,
    };
    subject.madvise(at, len, advice)?;
    subject.fill(at, len, folio::SEED)?;
    subject.large_folios(false)?;
    folio::drain_lists()?;

    let before = status::read(subject.pid)?;
    let answer = trigger::request(&Request {
        len: Some(len),
        ..Request::new(subject.pid, at, path)
    })?;
    let after = status::read(subject.pid)?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let (pages, folios) = (len / bytes(1), len / bytes(1 << order));
    checks.eq(
        "report folios",
        answer.report.number("folios"),
        Some(folios),
    );
    checks.eq(
        "report unmapped",
        answer.report.number("unmapped"),
        Some(pages),
    );
    checks.eq("RssAnon", after.rss_anon + len / 1024, before.rss_anon);
    checks.eq("VmSwap", after.vm_swap, before.vm_swap + len / 1024);
    course::check_high_water(checks, 0, before.vm_rss, after.vm_hwm);

    let differs = subject.compare(at, len, folio::SEED)?;
    checks.eq("content", differs, None);
    subject.exit()?;
    course::check_gone(checks, (0, 0), &origin)?;
    Ok(Facts::new())
}
