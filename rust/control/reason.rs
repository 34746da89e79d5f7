// SPDX-License-Identifier: GPL-2.0

//! Why a folio, or a request, failed.

use crate::ttu::tally::Stop;
use kernel::{
    error::code,
    prelude::*, //
};

/// Defines the reasons with their names in `stats`, and their errno.
macro_rules! reasons {
    ($($(#[$attr:meta])* $variant:ident = $name:literal, $errno:ident;)*) => {
        /// Why something was not done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Reason {
            $($(#[$attr])* $variant,)*
        }

        impl Reason {
            /// All reasons, in the order of their values.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns its name in `stats`.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// Returns what write(2) fails with.
            pub(crate) fn errno(self) -> Error {
                match self {
                    $(Self::$variant => code::$errno,)*
                }
            }

            /// Returns the name of [`Self::errno`].
            pub(crate) fn errno_name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($errno),)*
                }
            }
        }
    };
}

reasons! {
    /// There is no such process, or it has no memory of its own.
    NoProcess = "no_process", ESRCH;
    /// Nothing is mapped there.
    Unmapped = "unmapped_address", ENOENT;
    /// Not ordinary anonymous memory.
    Unsupported = "unsupported", EOPNOTSUPP;
    /// A signal came first.
    Interrupted = "interrupted", EINTR;
    /// The folio is not on an LRU list: somebody else has isolated it.
    NotOnLru = "not_on_lru", EBUSY;
    /// Somebody else has locked the folio.
    Locked = "locked", EBUSY;
    /// The folio is mlocked, or mapped in an mlocked VMA.
    Mlocked = "mlocked", EBUSY;
    /// The folio is being written to its swap device.
    Writeback = "writeback", EBUSY;
    /// Some of its memory is broken.
    Hwpoison = "hwpoison", EBUSY;
    /// There is no swap space for the folio, or the control group may not use it.
    NoSwapSpace = "no_swap_space", ENOSPC;
    /// The folio may be pinned for DMA.
    Pinned = "pinned", EBUSY;
    /// A swap slot could not be referred to once more.
    SwapDup = "swap_count", EBUSY;
    /// A lazily freed folio was written to again.
    Redirtied = "redirtied", EBUSY;
    /// A lazily freed folio is in use by somebody.
    ExtraReferences = "extra_references", EBUSY;
    /// It is still mapped for another reason, or by the kernel's own path, which gives none.
    StillMapped = "still_mapped", EBUSY;
}

impl From<Stop> for Reason {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Pinned => Self::Pinned,
            Stop::SwapDup => Self::SwapDup,
            Stop::Mlocked => Self::Mlocked,
            Stop::Redirtied => Self::Redirtied,
            Stop::ExtraReferences => Self::ExtraReferences,
            Stop::PmdMapped | Stop::Inconsistent => Self::StillMapped,
        }
    }
}
