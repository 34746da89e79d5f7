// SPDX-License-Identifier: GPL-2.0

//! A large folio in the swap cache, mapped by one process while another still has it in swap.
//!
//! It is made of single pages in consecutive slots, which a fork shares; a read in the first
//! process then brings them in as one folio. That works without CONFIG_THP_SWAP, too, and is the
//! one way in which such a kernel gets a large folio with swap slots. Reclaim takes it whole.

use super::{bytes, folio, whole, Folio, Page, Shape};
use crate::knobs;
use crate::observe::{kpage, pagemap};
use crate::subject::{Family, Subject};
use crate::verdict::Stop;

/// How many slots a swap cluster has where that is not the size of a PMD (SWAPFILE_CLUSTER).
const CLUSTER: usize = 256;

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// A folio of the first of two processes, whose slots the second refers to.
pub fn swapcached(family: &Family, order: u32) -> Result<Shape<'_>, Stop> {
    let pages = 1 << order;
    if pages > CLUSTER && !whole::swapped()? {
        let why = format!("{pages} pages are more than a swap cluster of this kernel");
        return Err(Stop::Skip(why));
    }
    let subject = family.spawn()?;
    let address = folio::reserve(&subject, bytes(pages), libc::MAP_PRIVATE)?;
    knobs::only_folios_of(None)?;
    subject.protect(address, bytes(pages), RW)?;
    subject.fill(address, bytes(pages), folio::SEED)?;
    align_slots(&subject, pages)?;
    page_out(&subject, address, pages)?;
    check_slots(&subject, address, pages)?;
    let child = subject.fork()?;

    knobs::only_folios_of(Some(bytes(pages) as usize / 1024))?;
    subject.large_folios(true)?;
    subject.madvise(address, bytes(pages), libc::MADV_HUGEPAGE)?;
    subject.peek(address)?;
    subject.large_folios(false)?;
    let pfn = pagemap::read(subject.pid, address, 1)?[0].pfn();
    let folio = Folio {
        address,
        pages,
        order,
        pfn: pfn.ok_or(Stop::Fail("a page just read is not present".into()))?,
    };
    folio.settle(&subject)?;
    folio.prove()?;
    let flags = kpage::flags(folio.pfn, 1)?[0];
    if !flags.has("swapcache") {
        let why = format!("the folio is not in the swap cache: {}", flags.names());
        return Err(Stop::Skip(why));
    }
    let own = pagemap::read(subject.pid, address, pages)?;
    let others = pagemap::read(child.pid, address, pages)?;
    if !own.iter().all(|e| e.present()) || !others.iter().all(|e| e.swapped()) {
        return Err(Stop::Skip("not mapped by one and swapped in two".into()));
    }
    let mut shape = Shape::new(subject, folio);
    shape.subjects.push(child);
    shape.pages = vec![vec![Some(Page::shared()); pages]; 2];
    Ok(shape)
}

/// Uses up slots until the next one is the first of `pages` that are aligned.
fn align_slots(subject: &Subject<'_>, pages: usize) -> Result<(), Stop> {
    let filler = subject.map(bytes(pages), RW, PRIVATE, -1)?;
    subject.fill(filler, bytes(pages), folio::SEED)?;
    page_out(subject, filler, 1)?;
    let slot = pagemap::read(subject.pid, filler, 1)?[0].swap_offset();
    let slot = slot.ok_or(Stop::Skip("MADV_PAGEOUT did not work".into()))?;
    match pages - 1 - slot as usize % pages {
        0 => Ok(()),
        more => page_out(subject, filler + bytes(1), more),
    }
}

fn page_out(subject: &Subject<'_>, address: u64, pages: usize) -> Result<(), Stop> {
    subject.madvise(address, bytes(pages), libc::MADV_PAGEOUT)
}

fn check_slots(subject: &Subject<'_>, address: u64, pages: usize) -> Result<(), Stop> {
    let seen = pagemap::read(subject.pid, address, pages)?;
    let first = seen[0].swap_offset().unwrap_or(1);
    let in_row = |(i, e): (usize, &pagemap::Entry)| e.swap_offset() == Some(first + i as u64);
    match first % pages as u64 == 0 && seen.iter().enumerate().all(in_row) {
        true => Ok(()),
        false => Err(Stop::Skip(
            "the slots are not aligned or not in a row".into(),
        )),
    }
}
