// SPDX-License-Identifier: GPL-2.0

//! What one `try_to_unmap()` costs per page of a folio.
//!
//! Each measurement is one request on a folio just made. The module reads the clock right before
//! and after the call; where the clock counts instructions (`qemu/run --icount`), so does this.

use super::{orders, Spread};
use crate::observe::mthp;
use crate::shape::{self, bytes, Folio, Mapping, Shape, WriteBits};
use crate::subject::{Family, Subject};
use crate::trigger::{self, Path, Request};
use crate::verdict::Stop;

/// Who maps the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// So many processes, by fork.
    Processes(usize),
    /// One process, of which a fork took every second page, and went.
    Alternating,
}

impl Sharing {
    const ALL: [Self; 4] = [
        Self::Processes(1),
        Self::Processes(2),
        Self::Processes(8),
        Self::Alternating,
    ];

    fn name(self) -> String {
        match self {
            Self::Processes(1) => "exclusive".into(),
            Self::Processes(n) => format!("shared by {n}"),
            Self::Alternating => "alternating".into(),
        }
    }

    fn make(self, family: &Family, order: u32, mapping: Mapping) -> Result<Shape<'_>, Stop> {
        match self {
            Self::Processes(1) => shape::exclusive(family, order, mapping),
            Self::Processes(n) => shape::forked(family, order, mapping, n),
            Self::Alternating => {
                let every_second = |i| i % 2 == 0;
                let ready = |_: &Subject<'_>, _: &Folio| Ok(());
                let mut shape =
                    shape::mixed(family, order, &every_second, WriteBits::Equal, &ready)?;
                // What it shared stays so when it is gone; it would add a VMA for each page.
                shape.pages.pop();
                if let Some(child) = shape.subjects.pop() {
                    child.exit()?;
                }
                Ok(shape)
            }
        }
    }
}

/// Measures all and prints a table.
pub fn run(repeats: usize) -> Result<(), Stop> {
    println!("sharing       kB mapped by  path        ns/page  (least .. most)");
    for sharing in Sharing::ALL {
        for order in orders() {
            let mapping = match order == mthp::pmd_order() && sharing != Sharing::Alternating {
                true => Mapping::Pmd,
                false => Mapping::Pte,
            };
            if order == 0 && sharing == Sharing::Alternating {
                continue;
            }
            for path in Path::BOTH {
                let spread = Spread::of(repeats, &|| once(sharing, order, mapping, path))?;
                println!(
                    "{:12} {:4} {mapping:?}        {:8} {spread}",
                    sharing.name(),
                    bytes(1 << order) / 1024,
                    path.to_string(),
                );
            }
        }
    }
    Ok(())
}

/// Nanoseconds per page of one unmap.
fn once(sharing: Sharing, order: u32, mapping: Mapping, path: Path) -> Result<f64, Stop> {
    let family = Family::new(8)?;
    let mut shape = sharing.make(&family, order, mapping)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, path);
    let answer = trigger::request(&request)?;
    let ns = answer.report.number("unmap_ns");
    let ns = ns
        .filter(|_| answer.errno == 0)
        .ok_or_else(|| Stop::Fail(format!("the request failed with errno {}", answer.errno)))?;
    for subject in shape.subjects.drain(..) {
        subject.exit()?;
    }
    Ok(ns as f64 / shape.folio.pages as f64)
}
