// SPDX-License-Identifier: GPL-2.0

//! The files themselves: malformed requests, reports, permissions.

mod malformed;
mod reports;
mod who;

use crate::runner::Test;
use crate::shape::{self, whole, Mapping, Shape};
use crate::subject::Family;
use crate::trigger::{Path, Request};
use crate::verdict::Stop;

/// All of them.
pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("requests: reading before any request", reports::read_first),
        Test::new("requests: modes of the files", who::modes),
        Test::new("requests: nobody but root", who::nobody_but_root),
        Test::new("requests: accepted forms", reports::accepted),
        Test::new("requests: report in pieces", reports::report_in_pieces),
        Test::new("requests: writing at an offset", reports::write_at_offset),
        Test::new("requests: two open files", reports::two_files),
        Test::new("requests: report on a fresh file", reports::fresh_file),
        Test::new("requests: totals add up", reports::totals),
        Test::new(
            "requests: pid of the writer's namespace",
            who::pid_namespace,
        ),
        Test::new("requests: no such process", who::no_such_process),
        Test::new("requests: an empty write", malformed::empty_write),
    ];
    tests.extend(malformed::tests());
    tests
}

/// A folio that a request must not touch, or must: of 16 pages where it can be swapped.
fn one_folio(family: &Family) -> Result<Shape<'_>, Stop> {
    shape::exclusive(family, whole::order_or_page(4)?, Mapping::Pte)
}

/// A request for it.
fn request_for(shape: &Shape<'_>, path: Path) -> Request {
    Request::new(shape.subjects[0].pid, shape.folio.address, path)
}
