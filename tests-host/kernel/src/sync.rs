// SPDX-License-Identifier: GPL-2.0

//! Synchronisation.

/// RCU, which a host does not need.
pub mod rcu {
    /// A read-side critical section.
    pub struct Guard;

    /// Begins one.
    pub fn read_lock() -> Guard {
        Guard
    }
}

/// Atomic integers.
pub mod atomic {
    use core::{
        cell::UnsafeCell,
        sync::atomic::{AtomicI32, AtomicI64, Ordering},
    };

    /// No ordering.
    pub struct Relaxed;
    /// A full barrier.
    pub struct Full;

    /// An ordering.
    pub trait AnyOrdering {
        /// The nearest one of the host's.
        const HOST: Ordering;
    }

    impl AnyOrdering for Relaxed {
        const HOST: Ordering = Ordering::Relaxed;
    }

    impl AnyOrdering for Full {
        const HOST: Ordering = Ordering::SeqCst;
    }

    /// An integer that can be atomic.
    pub trait AtomicType: Copy {
        /// The host's type for it.
        type Host;
    }

    /// An atomic integer.
    #[repr(transparent)]
    pub struct Atomic<T>(UnsafeCell<T>);

    // SAFETY: It is only used by means of the host's atomic types.
    unsafe impl<T: AtomicType> Sync for Atomic<T> {}

    impl<T: AtomicType> Atomic<T> {
        /// Makes one.
        pub const fn new(value: T) -> Self {
            Self(UnsafeCell::new(value))
        }

        /// Makes a reference of a pointer.
        ///
        /// # Safety
        ///
        /// The pointer must be valid for `'a`, and only be used atomically meanwhile.
        pub unsafe fn from_ptr<'a>(ptr: *mut T) -> &'a Self {
            // SAFETY: By the safety contract; the layouts are the same.
            unsafe { &*ptr.cast() }
        }

        fn host(&self) -> &T::Host {
            // SAFETY: The host's type has the same layout, and nobody uses another one.
            unsafe { &*self.0.get().cast() }
        }
    }

    macro_rules! atomic {
        ($int:ty, $host:ident) => {
            impl AtomicType for $int {
                type Host = $host;
            }

            impl Atomic<$int> {
                /// Reads it.
                pub fn load<O: AnyOrdering>(&self, _: O) -> $int {
                    self.host().load(O::HOST)
                }

                /// Adds to it.
                pub fn add<O: AnyOrdering>(&self, value: $int, _: O) {
                    self.host().fetch_add(value, O::HOST);
                }

                /// Writes `new` if it is `old`, else returns what it is.
                pub fn cmpxchg<O: AnyOrdering>(
                    &self,
                    old: $int,
                    new: $int,
                    _: O,
                ) -> Result<$int, $int> {
                    self.host()
                        .compare_exchange(old, new, O::HOST, Ordering::Relaxed)
                }
            }
        };
    }
    atomic!(i32, AtomicI32);
    atomic!(i64, AtomicI64);
}
