// SPDX-License-Identifier: GPL-2.0

//! A folio of which a device has some pages for itself: their entries are not present, and still
//! map them (device-exclusive entries).

use super::{exclusive, Mapping, Shape};
use crate::hmm::Device;
use crate::subject::Family;
use crate::verdict::Stop;

/// A folio of one process; the device has the pages for which `taken` is true.
pub fn device_exclusive<'f>(
    family: &'f Family,
    order: u32,
    taken: &dyn Fn(usize) -> bool,
) -> Result<Shape<'f>, Stop> {
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let device = Device::open(family, &shape.subjects[0])?;
    let pages = || (0..shape.folio.pages).filter(|i| taken(*i));
    pages().try_for_each(|i| device.take(shape.folio.page(i)))?;
    // What is not present is taken alone.
    let alone: Vec<_> = pages().collect();
    alone.iter().for_each(|i| shape.new_part(&(*i..i + 1)));
    let seen = shape.look()?;
    let odd = (0..shape.folio.pages).find(|i| seen.processes[0].pages[*i].present() == taken(*i));
    match odd {
        Some(i) => Err(Stop::Fail(format!(
            "page {i} is not as the device should have it"
        ))),
        None => Ok(shape),
    }
}
