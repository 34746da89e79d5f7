// SPDX-License-Identifier: GPL-2.0

//! Folios that may be dropped.

use crate::shape::folio::{self, drain_lists};
use crate::shape::{self, make, Mapping, Page, Shape};
use crate::subject::Family;
use crate::verdict::Stop;

/// `MAP_DROPPABLE` (include/uapi/linux/mman.h).
const MAP_DROPPABLE: i32 = 8;

/// Makes a folio of an order.
pub type Make = for<'f> fn(&'f Family, u32, Mapping) -> Result<Shape<'f>, Stop>;

/// A folio that may be dropped.
pub fn clean(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    let shape = shape::exclusive(family, order, mapping)?;
    free(&shape)?;
    Ok(shape)
}

/// Not even clean: it may be dropped all the same.
pub fn droppable(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    make::exclusive_with(family, order, mapping, MAP_DROPPABLE)
}

/// A folio that may be dropped, of a process and its child.
pub fn forked(family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
    let mut shape = clean(family, order, mapping)?;
    shape.subjects.push(shape.subjects[0].fork()?);
    shape.pages = vec![vec![Some(Page::shared()); shape.folio.pages]; 2];
    Ok(shape)
}

/// Lets the kernel drop the folio, and proves that it knows.
pub fn free(shape: &Shape<'_>) -> Result<(), Stop> {
    let folio = &shape.folio;
    shape.subjects[0].madvise(folio.address, folio.len(), libc::MADV_FREE)?;
    drain_lists()?;
    let seen = shape.look()?;
    match seen
        .frames
        .iter()
        .all(|(flags, _)| !flags.has("swapbacked"))
    {
        true => Ok(()),
        false => Err(Stop::Skip("MADV_FREE did not take the folio".into())),
    }
}

/// Writes what was there before.
pub fn write_again(shape: &Shape<'_>, pages: &[usize]) -> Result<(), Stop> {
    for i in pages {
        let at = shape.folio.page(*i);
        shape.subjects[0].poke(at, folio::first_byte(at))?;
    }
    Ok(())
}
