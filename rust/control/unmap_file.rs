// SPDX-License-Identifier: GPL-2.0

//! The file `unmap`.

use super::{
    report::Report,
    request::{
        Request,
        MAX_REQUEST, //
    },
    trigger, //
};
use crate::sys::debugfs::{
    ControlFile,
    Text, //
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        Arc,
        Mutex, //
    },
};

/// An open `unmap`: one request a write, and reading gives the report.
#[pin_data]
pub(crate) struct UnmapFile {
    /// The report of this file's last request.
    #[pin]
    own: Mutex<Option<Report>>,
    last: Arc<LastReport>,
}

/// The report of the last request that has finished, of all files.
#[pin_data]
pub(crate) struct LastReport {
    #[pin]
    report: Mutex<Option<Report>>,
}

impl LastReport {
    /// Makes the place for it; there is none yet.
    pub(crate) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            report <- new_mutex!(None),
        })
    }
}

impl ControlFile for UnmapFile {
    type Shared = LastReport;

    const NAME: &'static CStr = c"unmap";
    const MODE: u16 = 0o600;
    const MAX_WRITE: usize = MAX_REQUEST;

    fn open(last: Arc<LastReport>) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            own <- new_mutex!(None),
            last,
        })
    }

    fn write(&self, text: &[u8]) -> Result {
        let request = Request::parse(text).ok_or(EINVAL)?;
        let report = trigger::run(request);
        *self.own.lock() = Some(report);
        *self.last.report.lock() = Some(report);
        match report.failure() {
            Some(reason) => Err(reason.errno()),
            None => Ok(()),
        }
    }

    fn text(&self, out: &mut Text) -> Result {
        let own = *self.own.lock();
        let report = match own {
            Some(report) => Some(report),
            None => *self.last.report.lock(),
        };
        match report {
            Some(report) => out.print(&report),
            None => Ok(()),
        }
    }
}
