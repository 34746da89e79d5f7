// SPDX-License-Identifier: GPL-2.0

//! What one `try_to_unmap()` costs per page of a folio.
//!
//! Each measurement is one request on a folio just made. The module reads the clock right before
//! and after the call; where the clock counts instructions (`qemu/run --icount`), so does this.

use std::io::{Read, Write};

use crate::observe::mthp;
use crate::shape::{self, bytes, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys;
use crate::trigger::{self, Path, Request};
use crate::verdict::Stop;

/// Who maps the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sharing {
    /// So many processes, by fork.
    Processes(usize),
    /// One process, of which a fork took every second page.
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
                shape::mixed(family, order, &|i| i % 2 == 0, WriteBits::Equal, &|_, _| {
                    Ok(())
                })
            }
        }
    }
}

/// Measures all and prints a table.
pub fn run(repeats: usize) -> Result<(), Stop> {
    mthp::open();
    println!("sharing       kB mapped by  path        ns/page  (least .. most)");
    for sharing in Sharing::ALL {
        for order in mthp::orders() {
            let mapping = match order == mthp::pmd_order() && sharing != Sharing::Alternating {
                true => Mapping::Pmd,
                false => Mapping::Pte,
            };
            if order == 0 && sharing == Sharing::Alternating {
                continue;
            }
            for path in Path::BOTH {
                let mut all = Vec::new();
                for _ in 0..repeats {
                    all.push(in_a_process(&|| once(sharing, order, mapping, path))?);
                }
                all.sort_by(f64::total_cmp);
                println!(
                    "{:12} {:4} {mapping:?}        {:8} {:10.1}  ({:.1} .. {:.1})",
                    sharing.name(),
                    bytes(1 << order) / 1024,
                    path.to_string(),
                    all[repeats / 2],
                    all[0],
                    all[repeats - 1],
                );
            }
        }
    }
    Ok(())
}

/// Runs `measure` in a process of its own, which has no more memory than the one before.
fn in_a_process(measure: &dyn Fn() -> Result<f64, Stop>) -> Result<f64, Stop> {
    let (mut near, mut far) = sys::pipe()?;
    let Some(pid) = sys::fork()? else {
        drop(near);
        sys::stay_on_first_cpu();
        let text = match measure() {
            Ok(value) => value.to_string(),
            Err(stop) => format!("{stop:?}"),
        };
        sys::exit_now(i32::from(far.write_all(text.as_bytes()).is_err()))
    };
    drop(far);
    let mut text = String::new();
    near.read_to_string(&mut text)?;
    sys::wait(pid, true)?;
    text.parse().map_err(|_| Stop::Fail(text))
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
