// SPDX-License-Identifier: GPL-2.0

//! A page of the folio is pinned by direct I/O in flight.

use super::refused::{run, Pins};
use crate::direct::{InFlight, SlowDevice, Way};
use crate::observe::System;
use crate::runner::Test;
use crate::scenario::course;
use crate::shape::{self, bytes, whole, Mapping, Shape};
use crate::subject::{pattern_byte, Family};
use crate::sys::page_size;
use crate::verdict::{Checks, Stop};

/// A test of a folio of this order, of which a page in the middle is read into or written out.
pub(super) fn test(order: u32, mapping: Mapping, way: Way) -> Test {
    let pin = (1 << order) / 2;
    let name = format!(
        "pinned: {} kB by {mapping:?}, page {pin} in direct I/O, {}",
        bytes(1 << order) / 1024,
        format!("{way:?}").to_lowercase()
    );
    Test::new(name, move |checks| {
        whole::must_be_swapped(order)?;
        course::each_path(checks, &|checks, path| {
            let family = Family::in_cgroup(1, false)?;
            let no_group = || Stop::Fail("no control group".into());
            let cgroup = family.cgroup.as_ref().ok_or_else(no_group)?;
            let device = SlowDevice::new(cgroup)?;
            let origin = System::take()?;
            let shape = shape::exclusive(&family, order, mapping)?;
            let at = shape.folio.page(pin);
            device.write(&written(at).collect::<Vec<u8>>())?;
            let flight = InFlight::begin(&device, &shape.subjects[0], way, (at, bytes(1)))?;
            let pins = Pinned {
                device: &device,
                flight,
                way,
                at,
            };
            run(checks, &pins, shape, (path, false, pin), &origin)
        })
    })
}

/// What the process will have written to this page by the time that the I/O is done.
fn written(at: u64) -> impl Iterator<Item = u8> {
    (at..at + bytes(1)).map(|a| pattern_byte(a, course::own_seed(0)))
}

struct Pinned<'a> {
    device: &'a SlowDevice<'a>,
    flight: InFlight,
    way: Way,
    at: u64,
}

impl Pins for Pinned<'_> {
    fn check(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
        let owner = &shape.subjects[0];
        checks.eq(
            "whether the I/O has ended",
            self.flight.ended(owner)?,
            false,
        );
        if self.way == Way::Read {
            // That the data still arrives in this memory is seen where it is not there before.
            owner.fill(self.at, bytes(1), 0)?;
        }
        Ok(())
    }

    fn unpin(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
        self.device.release()?;
        self.flight.wait(&shape.subjects[0])?;
        if self.way == Way::Write {
            let got = self.device.read(page_size())?;
            let same = got.into_iter().eq(written(self.at));
            checks.eq("whether the device has what was written last", same, true);
        }
        Ok(())
    }
}
