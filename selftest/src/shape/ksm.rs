// SPDX-License-Identifier: GPL-2.0

//! A page of KSM's.

use std::thread::sleep;
use std::time::Duration;

use super::{bytes, reserve};
use crate::knobs;
use crate::observe::{kpage, pagemap};
use crate::subject::Subject;
use crate::verdict::Stop;

/// Makes two pages of equal content, has KSM make one of them, mapped twice, and stops it: what is
/// merged stays so, and nothing moves any more.
pub fn ksm_page(subject: &Subject<'_>) -> Result<u64, Stop> {
    let at = reserve(subject, bytes(2), libc::MAP_PRIVATE)?;
    subject.protect(at, bytes(2), libc::PROT_READ | libc::PROT_WRITE)?;
    subject.madvise(at, bytes(2), libc::MADV_NOHUGEPAGE)?;
    for page in 0..2 {
        for byte in 0..4 {
            subject.poke(at + bytes(page) + byte, 0xa5)?;
        }
    }
    let no = |e: Stop| Stop::Skip(format!("no KSM: {e:?}"));
    subject
        .madvise(at, bytes(2), libc::MADV_MERGEABLE)
        .map_err(no)?;
    knobs::busy_ksm().map_err(|e| no(e.into()))?;
    for _ in 0..250 {
        sleep(Duration::from_millis(20));
        let pages = pagemap::read(subject.pid, at, 2)?;
        if let Some(pfn) = pages[0].pfn().filter(|pfn| pages[1].pfn() == Some(*pfn)) {
            if kpage::flags(pfn, 1)?[0].has("ksm") {
                knobs::write("/sys/kernel/mm/ksm/run", "0")?;
                return Ok(at);
            }
        }
    }
    Err(Stop::Skip("KSM merged nothing within 5 s".into()))
}
