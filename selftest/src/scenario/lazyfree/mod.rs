// SPDX-License-Identifier: GPL-2.0

//! Memory that the kernel may drop: `MADV_FREE` and `MAP_DROPPABLE`.

mod counts;
mod dropped;
mod kept;
mod shapes;

use super::course::{each_path, Plan, Via};
use super::facts::Facts;
use crate::runner::Test;
use crate::shape::{self, bytes, Shape, WriteBits};
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

pub use counts::Counts;
pub use dropped::{check_dropped, dropped};
pub use kept::{in_use, redirtied, refused_and_written};
pub use shapes::{clean, droppable, forked, free, write_again, Make};

/// What becomes of a folio that is made in some way.
type Course = fn(
    &mut Checks,
    (Via, bool),
    &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop>;

/// Clean, written to since, in use by a pipe, droppable, and of several write bits.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (order, mapping) in shape::few_sizes() {
        let size = format!("{} kB by {mapping:?}", bytes(1 << order) / 1024);
        for reclaim in [false, true] {
            for (name, make) in [("clean", clean as Make), ("droppable", droppable)] {
                let name = format!("lazyfree: {size}, {name}, reclaim={}", u8::from(reclaim));
                tests.push(Test::new(name, move |checks| {
                    each_path(checks, &|checks, path| {
                        dropped(
                            checks,
                            (
                                &Plan::new(Via::Module(path), reclaim),
                                reclaim && order == 4,
                            ),
                            &|f| make(f, order, mapping),
                        )
                    })
                }));
            }
        }
        let last = (1 << order) - 1;
        for (name, pages) in [
            ("the first page", vec![0]),
            ("the last page", vec![last]),
            ("all pages", (0..=last).collect()),
        ] {
            if order == 0 && last != pages[0] || order > 4 && pages.len() == 1 {
                continue;
            }
            let name = format!("lazyfree: {size}, {name} written since");
            tests.push(Test::new(name, move |checks| {
                each_path(checks, &|checks, path| {
                    redirtied(checks, (Via::Module(path), order == 4), &|f| {
                        let shape = clean(f, order, mapping)?;
                        write_again(&shape, &pages)?;
                        Ok(shape)
                    })
                })
            }));
        }
        let name = format!("lazyfree: {size}, a page in a pipe");
        tests.push(Test::new(name, move |checks| {
            each_path(checks, &|checks, path| {
                in_use(checks, (Via::Module(path), order == 4), &|f| {
                    clean(f, order, mapping)
                })
            })
        }));
    }
    // CVE-2026-31398: the batch that is put back must not become writable.
    for (name, mask) in [
        ("the first half", (|i| i < 8) as fn(usize) -> bool),
        ("every second page", |i| i % 2 == 0),
    ] {
        let name = format!("lazyfree: 64 kB, {name} writable and written since, the rest shared");
        for (then, course, charged) in [
            ("", redirtied as Course, false),
            (", and all written then", refused_and_written, true),
        ] {
            tests.push(Test::new(format!("{name}{then}"), move |checks| {
                each_path(checks, &|checks, path| {
                    course(checks, (Via::Module(path), charged), &|f| {
                        let shape = shape::mixed(f, 4, &mask, WriteBits::Differ, &|_, _| Ok(()))?;
                        free(&shape)?;
                        write_again(&shape, &[0])?;
                        Ok(shape)
                    })
                })
            }));
        }
    }
    tests
}
