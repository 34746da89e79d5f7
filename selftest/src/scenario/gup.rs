// SPDX-License-Identifier: GPL-2.0

//! Folios that are pinned by the kernel's own test of long-term pins, in each way that it knows.

use super::course;
use super::mixed::MASKS;
use super::pinned::{self, Pins};
use crate::gup::{Gup, How};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, Shape, WriteBits};
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

/// A folio that is wholly pinned x how; a mixed folio of which one page is.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let offered = mthp::orders();
    let each_way = [(true, true), (true, false), (false, true), (false, false)];
    let each_way = each_way.map(|(write, fast)| How { write, fast });
    for (order, mapping) in shape::few_sizes() {
        for how in each_way {
            if !offered.contains(&order) {
                continue;
            }
            let size = bytes(1 << order) / 1024;
            let name = format!("gup: {size} kB by {mapping:?}, {}", words(how));
            tests.push(Test::new(name, move |checks| {
                both(checks, &|family, gup| {
                    let shape = shape::exclusive(family, order, mapping)?;
                    let folio = &shape.folio;
                    gup.pin(&shape.subjects[0], folio.address, folio.len(), how)?;
                    Ok((shape, 0))
                })
            }));
        }
    }
    let pages = 1 << 4;
    for (mask_name, mask) in MASKS {
        for how in each_way {
            let size = bytes(pages) / 1024;
            let name = format!("gup: {size} kB, {mask_name} exclusive, {}", words(how));
            tests.push(Test::new(name, move |checks| {
                both(checks, &|family, gup| {
                    let pin = (0..pages).rfind(|i| mask(*i, pages)).unwrap_or(0);
                    let own = |i| mask(i, pages);
                    let shape = shape::mixed(family, 4, &own, WriteBits::Equal, &|s, folio| {
                        gup.pin(s, folio.page(pin), bytes(1), how)
                    })?;
                    Ok((shape, pin))
                })
            }));
        }
    }
    tests
}

fn words(how: How) -> String {
    let to = if how.write { "write" } else { "read" };
    let by = if how.fast { "fast" } else { "slow" };
    format!("pinned to {to}, {by}")
}

/// One pin: the page that has it first.
struct Pinned<'a> {
    gup: &'a Gup,
    pin: usize,
}

impl Pins for Pinned<'_> {
    fn check(&self, checks: &mut Checks, shape: &Shape<'_>) -> Result<(), Stop> {
        let owner = &shape.subjects[0];
        let at = shape.folio.page(self.pin);
        let byte = owner.peek(at)?;
        for write in [byte ^ 0xff, byte] {
            owner.poke(at, write)?;
            // All that is pinned is read.
            let pages = match self.pin {
                0 if shape.subjects.len() == 1 => shape.folio.pages,
                _ => 1,
            };
            checks.eq("byte seen through the pin", self.gup.read(pages)?[0], write);
        }
        Ok(())
    }

    fn unpin(&self, _: &mut Checks, _: &Shape<'_>) -> Result<(), Stop> {
        Ok(self.gup.unpin()?)
    }
}

type Make<'a> = dyn for<'f> Fn(&'f Family, &Gup) -> Result<(Shape<'f>, usize), Stop> + 'a;

fn both(checks: &mut Checks, make: &Make<'_>) -> Result<(), Stop> {
    course::each_path(checks, &|checks, path| {
        let gup = Gup::new()?;
        let family = Family::new(2)?;
        let origin = System::take()?;
        let (shape, pin) = make(&family, &gup)?;
        let pins = Pinned { gup: &gup, pin };
        pinned::run(checks, &pins, shape, (path, false, pin), &origin)
    })
}
