// SPDX-License-Identifier: GPL-2.0

//! What one `madvise(MADV_PAGEOUT)` of a lot of memory costs per page, live mode off and on.
//!
//! All of reclaim is in it, writing to the swap device as well. The counters of the folio size
//! have to say that each folio had it and went out whole.

use std::path::Path;
use std::time::Instant;

use super::{orders, Spread};
use crate::knobs;
use crate::live;
use crate::observe::System;
use crate::shape::{bytes, folio};
use crate::subject::Family;
use crate::sys::page_size;
use crate::verdict::Stop;

/// How much memory, in bytes.
const LEN: u64 = 32 << 20;

/// Measures all and prints a table. Without the module, there is one row for each size.
pub fn run(repeats: usize) -> Result<(), Stop> {
    let loaded = Path::new(live::LIVE).exists();
    println!("MADV_PAGEOUT of {} MiB", LEN >> 20);
    println!("   kB live          ns/page  (least .. most)");
    // The RAM disk gets its memory when it is first written to.
    Spread::of(2, &|| once(0))?;
    for order in orders() {
        let modes: &[Option<bool>] = match loaded {
            true => &[Some(false), Some(true)],
            false => &[None],
        };
        for mode in modes {
            if let Some(on) = *mode {
                live::set(on)?;
            }
            let spread = Spread::of(repeats, &|| once(order))?;
            let name = match mode {
                None => "(no module)",
                Some(false) => "off",
                Some(true) => "on",
            };
            println!("{:5} {name:11} {spread}", bytes(1 << order) / 1024);
        }
    }
    if loaded {
        live::set(false)?;
    }
    Ok(())
}

fn once(order: u32) -> Result<f64, Stop> {
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let at = folio::reserve(&subject, LEN, libc::MAP_PRIVATE)?;
    let size = bytes(1 << order);
    knobs::only_folios_of((order > 0).then_some(size as usize / 1024))?;
    subject.large_folios(true)?;
    subject.protect(at, LEN, libc::PROT_READ | libc::PROT_WRITE)?;
    subject.madvise(at, LEN, libc::MADV_HUGEPAGE)?;
    subject.fill(at, LEN, folio::SEED)?;
    folio::drain_lists()?;

    let before = System::take()?;
    let start = Instant::now();
    subject.madvise(at, LEN, libc::MADV_PAGEOUT)?;
    let took = start.elapsed();
    let after = System::take()?;

    let pages = LEN / page_size() as u64;
    let counter = format!("{}kB/swpout", size / 1024);
    let (moved, want) = match order {
        0 => (after.moved(&before, "pswpout"), pages),
        _ => (after.moved(&before, &counter), LEN / size),
    };
    if moved != want as i64 {
        return Err(Stop::Fail(format!(
            "{moved} of {want} folios of {} kB were swapped out whole",
            size / 1024
        )));
    }
    subject.exit()?;
    Ok(took.as_nanos() as f64 / pages as f64)
}
