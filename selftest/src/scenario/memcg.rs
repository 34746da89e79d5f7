// SPDX-License-Identifier: GPL-2.0

//! Processes in a control group: what is charged to it, and its statistics.

use super::course::compare_paths;
use crate::observe::mthp;
use crate::runner::Test;
use crate::shape::{self, bytes, partial, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::verdict::Stop;

/// Folios of one process, of two, and shared in part, left in the swap cache and written out.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    for order in [0, 4] {
        let name = format!("{} kB", bytes(1 << order) / 1024);
        add(&mut tests, &name, move |f| {
            shape::exclusive(f, order, Mapping::Pte)
        });
    }
    add(&mut tests, "2048 kB by PMD", |f| {
        shape::exclusive(f, mthp::pmd_order(), Mapping::Pmd)
    });
    add(&mut tests, "64 kB in 2 processes", |f| {
        shape::forked(f, 4, Mapping::Pte, 2)
    });
    add(&mut tests, "64 kB, a half exclusive", |f| {
        shape::mixed(f, 4, &|i| i < 8, WriteBits::Equal, &|_, _| Ok(()))
    });
    add(&mut tests, "64 kB with a hole", |f| {
        partial::holes(
            f,
            4,
            Mapping::Pte,
            (partial::Hole::DontNeed, |i| i / 4 == 1),
        )
    });
    tests
}

fn add(
    tests: &mut Vec<Test>,
    name: &str,
    make: impl for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop> + Clone + 'static,
) {
    for reclaim in [false, true] {
        let make = make.clone();
        let name = format!("memcg: {name}, reclaim={}", u8::from(reclaim));
        tests.push(Test::new(name, move |checks| {
            let family = Family::in_cgroup(4, true)?;
            compare_paths(checks, reclaim, &|| make(&family))?;
            let left = family.cgroup.as_ref().map(|group| group.events());
            let left = left.transpose()?.unwrap_or_default();
            for event in ["memcg/swap.current", "memcg/anon", "memcg/swapcached"] {
                checks.eq(event, left.get(event).copied(), Some(0));
            }
            Ok(())
        }));
    }
}
