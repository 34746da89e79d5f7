// SPDX-License-Identifier: GPL-2.0

//! Pages that userfaultfd write-protects: the bit goes through swap and back, and ends batches.

use super::course::compare_paths;
use super::mixed::MASKS;
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::{self, bytes, model, Mapping, Page, Shape, WriteBits};
use crate::subject::Family;
use crate::uffd::Uffd;
use crate::verdict::Stop;

/// Every mask on a folio of 16 pages, with write bits that differ as well and without; all pages
/// of larger and smaller folios.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (name, mask) in MASKS {
        for bits in [WriteBits::Equal, WriteBits::Differ] {
            // Reading back 16 entries takes the same way with and without reclaim: one mask shows.
            for reclaim in [false, true] {
                if reclaim && !name.contains("second page") {
                    continue;
                }
                let name = format!(
                    "uffd: 16 pages, {name} protected, write bits {}, reclaim={}",
                    format!("{bits:?}").to_lowercase(),
                    u8::from(reclaim)
                );
                add(&mut tests, name, reclaim, move |f| {
                    protected(f, (4, Mapping::Pte), &|i| mask(i, 16), bits)
                });
            }
        }
    }
    let pmd = mthp::pmd_order();
    for (order, mapping) in [(0, Mapping::Pte), (pmd, Mapping::Pmd)] {
        let name = format!(
            "uffd: {} kB by {mapping:?}, all protected",
            bytes(1 << order) / 1024
        );
        add(&mut tests, name, false, move |f| {
            protected(f, (order, mapping), &|_| true, WriteBits::Differ)
        });
    }
    tests
}

fn add(
    tests: &mut Vec<Test>,
    name: String,
    reclaim: bool,
    make: impl for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop> + 'static,
) {
    tests.push(Test::new(name, move |checks| {
        let family = Family::new(2)?;
        compare_paths(checks, reclaim, &|| make(&family))
    }));
}

/// A folio of which some pages are write-protected. With equal write bits the VMA is read-only, so
/// that the entries differ in nothing else.
fn protected<'f>(
    family: &'f Family,
    (order, mapping): (u32, Mapping),
    mask: &dyn Fn(usize) -> bool,
    bits: WriteBits,
) -> Result<Shape<'f>, Stop> {
    let mut shape = shape::exclusive(family, order, mapping)?;
    let folio = shape.folio;
    let subject = &shape.subjects[0];
    let uffd = Uffd::register(subject, folio.address, folio.len())?;
    for run in model::ranges(folio.pages, mask) {
        uffd.protect(subject, folio.span(&run), true)?;
    }
    shape.permits.push(Box::new(move |subject| {
        uffd.protect(subject, (folio.address, folio.len()), false)
    }));
    if bits == WriteBits::Equal {
        shape.read_only(&(0..folio.pages))?;
    }
    shape.pages[0] = (0..folio.pages)
        .map(|i| {
            Some(Page {
                writable: bits == WriteBits::Differ && !mask(i),
                uffd_wp: mask(i),
                ..Page::exclusive()
            })
        })
        .collect();
    shape.proved()
}
