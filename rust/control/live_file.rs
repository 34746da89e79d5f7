// SPDX-License-Identifier: GPL-2.0

//! The file `live`.

use crate::{
    live::Live,
    sys::debugfs::{
        ControlFile,
        Text, //
    },
};
use kernel::{
    prelude::*,
    sync::Arc, //
};

/// An open `live`: `0` or `1`, for the whole module.
pub(crate) struct LiveFile(Arc<Live>);

impl ControlFile for LiveFile {
    type Shared = Live;

    const NAME: &'static CStr = c"live";
    const MODE: u16 = 0o600;
    /// A digit and the end of the line.
    const MAX_WRITE: usize = 2;

    fn open(live: Arc<Live>) -> impl PinInit<Self, Error> {
        Ok(Self(live))
    }

    fn write(&self, text: &[u8]) -> Result {
        match text {
            b"0" | b"0\n" => self.0.set(false),
            b"1" | b"1\n" => self.0.set(true),
            _ => Err(EINVAL),
        }
    }

    fn text(&self, out: &mut Text) -> Result {
        out.print(if self.0.is_on() { &"1\n" } else { &"0\n" })
    }
}
