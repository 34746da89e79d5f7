// SPDX-License-Identifier: GPL-2.0

//! What the module's pure sources use of the `kernel` crate, for a host.
//!
//! Same names, same meaning.

pub use core::fmt;

/// Errors.
pub mod error {
    /// An errno, as a positive number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Error(i32);

    /// The errors by name.
    pub mod code {
        use super::Error;

        macro_rules! codes {
            ($($name:ident = $errno:literal,)*) => {
                $(
                    #[doc = stringify!($name)]
                    pub const $name: Error = Error($errno);
                )*
            };
        }
        codes! {
            ENOENT = 2,
            ESRCH = 3,
            EINTR = 4,
            EBUSY = 16,
            ENOSPC = 28,
            EOPNOTSUPP = 95,
        }
    }
}

/// What every file has in scope.
pub mod prelude {
    pub use crate::error::Error;
}

/// Synchronisation.
pub mod sync {
    /// Atomic integers.
    pub mod atomic {
        use core::sync::atomic::{AtomicI64, Ordering};

        /// No ordering.
        pub struct Relaxed;

        /// An integer that can be atomic.
        pub trait AtomicType {
            /// The host's type for it.
            type Host;
        }

        impl AtomicType for i64 {
            type Host = AtomicI64;
        }

        /// An atomic integer.
        pub struct Atomic<T: AtomicType>(T::Host);

        impl Atomic<i64> {
            /// Makes one.
            pub const fn new(value: i64) -> Self {
                Self(AtomicI64::new(value))
            }

            /// Reads it.
            pub fn load(&self, _: Relaxed) -> i64 {
                self.0.load(Ordering::Relaxed)
            }

            /// Adds to it.
            pub fn add(&self, value: i64, _: Relaxed) {
                self.0.fetch_add(value, Ordering::Relaxed);
            }
        }
    }
}
