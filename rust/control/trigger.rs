// SPDX-License-Identifier: GPL-2.0

//! Carrying out a request.

use super::{
    reason::Reason,
    report::Report,
    request::Request,
    stats, //
};
use crate::{
    sys::{
        folio::FolioRef,
        mm::{
            MmUser,
            PAGE_SIZE, //
        },
    },
    target, //
};
use kernel::current;

/// Unmaps what the request names, and says what happened.
///
/// Context: process context of the writer, in whose pid namespace the pid is looked up; may sleep.
pub(super) fn run(request: Request) -> Report {
    let mut report = Report::new(request);
    let result = match MmUser::of_pid(request.pid) {
        Err(_) => Err(Reason::NoProcess),
        Ok(mm) if request.length == 0 => target::folio_at(&mm, request.address).map(|folio| {
            unmap(folio, &mut report, &request);
        }),
        Ok(mm) => unmap_range(&mm, &mut report, &request),
    };
    if let Err(reason) = result {
        report.fail(reason);
        stats::count_failure(reason);
    }
    stats::count_request(request.path);
    report
}

/// Unmaps every anonymous folio in the range. One that fails does not stop the others.
fn unmap_range(mm: &MmUser, report: &mut Report, request: &Request) -> Result<(), Reason> {
    let mut range = (request.address & !(PAGE_SIZE - 1))..(request.address + request.length);
    let mut failed = None;

    while range.start < range.end {
        if current!().signal_pending() {
            return Err(Reason::Interrupted);
        }
        if let Some(folio) = target::next_folio(mm, &mut range, failed)? {
            let pfn = folio.pfn();
            if unmap(folio, report, request).is_some() {
                failed = Some(pfn);
            }
        }
    }
    match report.folios {
        0 => Err(Reason::Unmapped),
        _ => Ok(()),
    }
}

/// Unmaps one folio and counts it; returns why it failed, if it did.
fn unmap(folio: FolioRef, report: &mut Report, request: &Request) -> Option<Reason> {
    let outcome = target::unmap_folio(folio, request);
    report.add(&outcome);
    stats::count_folio(&outcome);
    outcome.failure
}
