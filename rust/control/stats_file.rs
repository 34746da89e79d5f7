// SPDX-License-Identifier: GPL-2.0

//! The file `stats`.

use super::stats::Totals;
use crate::sys::debugfs::{
    ControlFile,
    Text, //
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// An open `stats`. Reading from its beginning takes the totals anew.
pub(crate) struct StatsFile;

impl ControlFile for StatsFile {
    type Shared = ();

    const NAME: &'static CStr = c"stats";
    const MODE: u16 = 0o400;
    const MAX_WRITE: usize = 0;

    fn open(_shared: Arc<()>) -> impl PinInit<Self, Error> {
        Ok(Self)
    }

    fn write(&self, _text: &[u8]) -> Result {
        Err(EINVAL)
    }

    fn text(&self, out: &mut Text) -> Result {
        out.print(&Totals)
    }
}
