// SPDX-License-Identifier: GPL-2.0

//! Folios that are mapped in part, in several VMAs or page tables, or where they were not made.

use super::course::compare_paths;
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::partial::{self, Choice, Hole};
use crate::shape::{Mapping, Shape};
use crate::subject::Family;
use crate::verdict::Stop;

/// Makes a shape of 16 pages, or of PMD size.
type Make = Box<dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>>;

/// Processes that the largest of these shapes has.
const MOST: usize = 21;

/// Holes, moves, several VMAs, and neighbours.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for (order, gone) in [(2, 0), (4, 0), (4, 1), (4, 9)] {
        let name = format!(
            "{} pages between neighbours in memory, {gone} gone in front",
            1 << order
        );
        add(&mut tests, &name, 1, move |f| {
            partial::between_neighbours(f, order, gone)
        });
    }
    add(
        &mut tests,
        "2 MiB by PMD in the parent, by PTE in the child",
        2,
        partial::by_pmd_and_pte,
    );
    add(
        &mut tests,
        "shared by 21, most of which map half",
        MOST,
        |f| partial::unequal_counts(f, 4, MOST - 1),
    );
    holes(&mut tests);
    moves(&mut tests);
    several_vmas(&mut tests);
    tests
}

fn holes(tests: &mut Vec<Test>) {
    let places: [(&str, Choice); 4] = [
        ("the first pages", |i| i < 3),
        ("the last pages", |i| i > 10),
        ("pages in the middle", |i| [5, 9, 10, 11].contains(&i)),
        ("all pages but two", |i| ![7, 12].contains(&i)),
    ];
    for (name, gone) in places {
        for hole in [Hole::Munmap, Hole::DontNeed] {
            add(tests, &format!("{name} gone by {hole:?}"), 1, move |f| {
                partial::holes(f, 4, Mapping::Pte, (hole, gone))
            });
        }
    }
    add(tests, "2 MiB by PMD, a page gone", 1, |f| {
        let gone = |i| i == 100;
        partial::holes(f, mthp::pmd_order(), Mapping::Pmd, (Hole::DontNeed, gone))
    });
}

fn moves(tests: &mut Vec<Test>) {
    for (name, pages) in [
        ("at an odd offset", 3),
        ("across the end of a page table", -5),
        ("across it, all pages but one before it", -15),
        ("across it, one page before it", -1),
    ] {
        add(tests, name, 1, move |f| partial::moved(f, 4, pages));
    }
    for (name, pages) in [
        ("the first half elsewhere", 0..8),
        ("the second half elsewhere", 8..16),
        ("the middle elsewhere", 5..10),
    ] {
        add(tests, name, 1, move |f| {
            partial::half_moved(f, 4, pages.clone())
        });
    }
    add(tests, "2 MiB across the end of a page table", 1, |f| {
        partial::moved(f, mthp::pmd_order(), -200)
    });
}

fn several_vmas(tests: &mut Vec<Test>) {
    for at in [1, 8] {
        let name = format!("two VMAs from page {at} on, entries alike");
        add(tests, &name, 1, move |f| {
            partial::two_vmas(f, 4, Mapping::Pte, at)
        });
    }
    for (name, pages) in [
        ("the first half", 0..8),
        ("the middle", 5..10),
        ("a page", 15..16),
    ] {
        add(tests, &format!("{name} read-only"), 1, move |f| {
            partial::partly_read_only(f, 4, Mapping::Pte, pages.clone())
        });
    }
    add(tests, "2 MiB by PMD, a part of it read-only", 1, |f| {
        partial::partly_read_only(f, mthp::pmd_order(), Mapping::Pmd, 300..512)
    });
}

/// A shape, on both paths, left in the swap cache and written out.
fn add(
    tests: &mut Vec<Test>,
    name: &str,
    processes: usize,
    make: impl for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop> + Clone + 'static,
) {
    for reclaim in [false, true] {
        let make: Make = Box::new(make.clone());
        let name = format!("partial: {name}, reclaim={}", u8::from(reclaim));
        tests.push(Test::new(name, move |checks| {
            let family = Family::new(2 * processes)?;
            compare_paths(checks, reclaim, &|| make(&family))
        }));
    }
}
