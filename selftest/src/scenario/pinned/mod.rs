// SPDX-License-Identifier: GPL-2.0

//! Folios of which a page is pinned (FOLL_PIN): refused, and put back bit for bit.
//!
//! A pin is seen for the whole folio, and asked about for exclusive pages only. So each process
//! loses the pages before its first exclusive one, and keeps the rest.

mod direct;
mod refused;
mod spliced;

use std::io::{Read, Write};

use super::course;
use super::mixed::{Mask, MASKS};
use crate::direct::Way;
use crate::iouring::Ring;
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys;
use crate::verdict::{Checks, Stop};

pub use refused::{run, Pins};

/// Wholly exclusive folios x pinned page; mixed folios x write bits; a plain reference.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let offered = mthp::orders();
    let pmd = mthp::pmd_order();
    for (order, mapping) in shape::few_sizes() {
        if !offered.contains(&order) {
            continue;
        }
        for reclaim in [false, true] {
            let mut pins = vec![0, (1 << order) / 2, (1 << order) - 1];
            pins.dedup();
            if order > 4 && reclaim {
                // Nothing gets as far as the reclaim: which page is pinned shows without it.
                pins = vec![(1 << order) / 2];
            }
            for pin in pins {
                add_exclusive(&mut tests, order, mapping, pin, reclaim);
            }
        }
        tests.push(spliced::test(order, mapping));
        for way in [Way::Read, Way::Write] {
            tests.push(direct::test(order, mapping, way));
        }
    }
    for order in [4, pmd] {
        if !offered.contains(&order) {
            continue;
        }
        for (name, mask) in MASKS {
            for bits in [WriteBits::Equal, WriteBits::Differ] {
                add_mixed(&mut tests, order, (name, mask), bits);
            }
        }
    }
    tests
}

fn add_exclusive(tests: &mut Vec<Test>, order: u32, mapping: Mapping, pin: usize, reclaim: bool) {
    let name = format!(
        "pinned: {} kB by {mapping:?}, page {pin} pinned, reclaim={}",
        bytes(1 << order) / 1024,
        u8::from(reclaim)
    );
    tests.push(Test::new(name, move |checks| {
        whole::must_be_swapped(order)?;
        both(
            checks,
            (reclaim, !reclaim && order == 4),
            &|family, ring| {
                let shape = shape::exclusive(family, order, mapping)?;
                let at = shape.folio.page(pin);
                ring.pin(&shape.subjects[0], at, bytes(1))?;
                Ok((shape, pin))
            },
        )
    }));
}

fn add_mixed(tests: &mut Vec<Test>, order: u32, (name, mask): (&str, Mask), bits: WriteBits) {
    let pages = 1usize << order;
    let name = format!(
        "pinned: {} kB, {name} exclusive and pinned at its end, write bits {}",
        bytes(pages) / 1024,
        format!("{bits:?}").to_lowercase()
    );
    tests.push(Test::new(name, move |checks| {
        whole::must_be_swapped(order)?;
        let charged = order == 4 && bits == WriteBits::Equal;
        both(checks, (false, charged), &|family, ring| {
            let pin = (0..pages).rfind(|i| mask(*i, pages)).unwrap_or(0);
            let shape = shape::mixed(
                family,
                order,
                &|i| mask(i, pages),
                bits,
                &|subject, folio| ring.pin(subject, folio.page(pin), bytes(1)),
            )?;
            Ok((shape, pin))
        })
    }));
}

/// Makes a folio, and pins a page of it, which it tells.
pub type Make<'a> = dyn for<'f> Fn(&'f Family, &Ring) -> Result<(Shape<'f>, usize), Stop> + 'a;

/// Runs the course of a pinned folio on both paths, and compares them; with `charged`, also the
/// statistics of a control group, which takes time.
pub fn both(
    checks: &mut Checks,
    (reclaim, charged): (bool, bool),
    make: &Make<'_>,
) -> Result<(), Stop> {
    course::each_path(checks, &|checks, path| {
        let ring = Ring::new()?;
        let family = course::family(2, charged)?;
        let origin = System::take()?;
        let (shape, pin) = make(&family, &ring)?;
        let pins = Pinned { ring: &ring, pin };
        run(checks, &pins, shape, (path, reclaim, pin), &origin)
    })
}

/// A page that is pinned by io_uring.
struct Pinned<'a> {
    ring: &'a Ring,
    pin: usize,
}

impl Pins for Pinned<'_> {
    fn check(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
        let Pinned { ring, pin } = *self;
        let owner = &shape.subjects[0];
        let at = shape.folio.page(pin);
        let (mut from, to) = sys::pipe()?;

        let before = owner.peek(at)?;
        owner.poke(at, before ^ 0xff)?;
        ring.write_out(&to, at, 8)?;
        let mut through = [0; 8];
        from.read_exact(&mut through)?;
        checks.eq("byte seen through the pin", through[0], before ^ 0xff);

        through[0] = before;
        (&to).write_all(&through)?;
        ring.read_in(&from, at, 8)?;
        checks.eq("byte written through the pin", owner.peek(at)?, before);
        Ok(())
    }

    fn unpin(&self, _: &mut Checks, _: &Shape<'_>) -> Result<(), Stop> {
        Ok(self.ring.unpin()?)
    }
}
