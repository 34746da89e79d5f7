// SPDX-License-Identifier: GPL-2.0

//! Counters that several processes share.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::sys::Shared;

/// A counter.
#[derive(Default)]
#[repr(transparent)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Relaxed);
    }

    /// Takes from it.
    pub fn take(&self, n: u64) {
        self.0.fetch_sub(n, Relaxed);
    }

    /// Adds one, and returns what it was before.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Relaxed)
    }

    /// Reads it.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    /// Sets it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }
}

/// What is made of atomic integers and nothing else.
///
/// # Safety
///
/// It is: all-zero is a valid value, and several processes may use one at the same time.
pub unsafe trait Counters: Sized + 'static {}

/// Counters for this process and those that it forks later, all zero. They stay mapped for good.
pub fn shared<T: Counters>() -> io::Result<&'static T> {
    let shared = Box::leak(Box::new(Shared::new(size_of::<T>())?));
    // SAFETY: The memory is mapped for good, zero, aligned to a page, and used for this only. By
    // the trait's contract that makes a `T`, which may be shared.
    Ok(unsafe { &*(shared.address() as *const T) })
}
