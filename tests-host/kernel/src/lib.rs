// SPDX-License-Identifier: GPL-2.0

//! What the module's sources use of the `kernel` crate, for a host.
//!
//! Same names, same meaning. A warning is a panic here, but for tests that want one.

use std::cell::Cell;

thread_local! {
    static WARNINGS: Cell<Option<u32>> = const { Cell::new(None) };
}

/// Does something that may warn, and returns how often it did.
pub fn warnings_of<T>(what: impl FnOnce() -> T) -> (T, u32) {
    WARNINGS.set(Some(0));
    let done = what();
    (done, WARNINGS.take().unwrap_or(0))
}

/// Counts a warning, if somebody does.
pub fn warned() -> bool {
    let counted = WARNINGS.get();
    WARNINGS.set(counted.map(|n| n + 1));
    counted.is_some()
}

/// `WARN_ON()`: fails a test that does not count warnings.
#[macro_export]
macro_rules! warn_on {
    ($condition:expr) => {
        assert!(
            !$condition || $crate::warned(),
            "WARN_ON at {}:{}",
            file!(),
            line!()
        )
    };
}

pub use core::fmt;

/// C types, as wide as the kernel crate has them.
pub mod ffi {
    pub use core::ffi::{c_int, c_void};
    /// `unsigned long`.
    #[allow(non_camel_case_types)]
    pub type c_ulong = usize;
}

/// Errors.
pub mod error {
    /// An errno, as a positive number.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Error(i32);

    impl Error {
        /// Returns the errno as C functions return it: negative.
        pub fn to_errno(self) -> i32 {
            -self.0
        }
    }

    /// A result whose error is an errno.
    pub type Result<T = (), E = Error> = core::result::Result<T, E>;

    /// Makes a result of what a C function has returned.
    pub fn to_result(errno: i32) -> Result {
        if errno < 0 {
            Err(Error(-errno))
        } else {
            Ok(())
        }
    }

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
            ENOMEM = 12,
            EBUSY = 16,
            EINVAL = 22,
            ENOSPC = 28,
            EOPNOTSUPP = 95,
        }
    }
}

/// What every file has in scope.
pub mod prelude {
    pub use crate::error::{code::*, Error, Result};
}

/// Types.
pub mod types {
    use core::{cell::UnsafeCell, marker::PhantomData, mem::MaybeUninit};

    /// Keeps a type in its thread.
    pub type NotThreadSafe = PhantomData<*mut ()>;
    /// The value of the type of that name.
    #[allow(non_upper_case_globals)]
    pub const NotThreadSafe: NotThreadSafe = PhantomData;

    /// An object of C.
    #[repr(transparent)]
    pub struct Opaque<T>(UnsafeCell<MaybeUninit<T>>);

    impl<T> Opaque<T> {
        /// Returns a pointer to the object.
        pub const fn get(&self) -> *mut T {
            UnsafeCell::get(&self.0).cast()
        }
    }
}

pub mod sync;

/// Time, which stands still.
pub mod time {
    use core::{marker::PhantomData, ops::Sub};

    /// A clock that goes only forward.
    pub struct Monotonic;

    /// What a clock says.
    pub struct Instant<C>(PhantomData<C>);

    impl<C> Instant<C> {
        /// Reads the clock.
        pub fn now() -> Self {
            Self(PhantomData)
        }

        /// Returns how long ago that was.
        pub fn elapsed(&self) -> Delta {
            Delta(0)
        }
    }

    /// A span of time.
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub struct Delta(i64);

    impl Delta {
        /// Returns it in nanoseconds.
        pub fn as_nanos(self) -> i64 {
            self.0
        }
    }

    impl Sub for Delta {
        type Output = Self;

        fn sub(self, other: Self) -> Self {
            Self(self.0 - other.0)
        }
    }
}
