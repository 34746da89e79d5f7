// SPDX-License-Identifier: GPL-2.0

//! What a test finds: a list of checks that did not hold, or the reason why it could not go on.

use std::fmt::Debug;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a test stops before its end.
#[derive(Debug)]
pub enum Stop {
    /// This kernel or machine cannot show what the test is about.
    Skip(String),
    /// Something that must work did not.
    Fail(String),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Fail(error.to_string())
    }
}

/// Whether the kernel is one that was built to have all that [`lacking`] is about.
static ALL_THERE: AtomicBool = AtomicBool::new(false);

/// From now on, here and in what is forked later, [`lacking`] is a failure.
pub fn must_all_be_there() {
    ALL_THERE.store(true, Ordering::Relaxed);
}

/// Why a test stops in a kernel without one of its own test drivers, or without fault injection: a
/// skip, unless [`must_all_be_there`] was called.
pub fn lacking(what: impl Into<String>) -> Stop {
    match ALL_THERE.load(Ordering::Relaxed) {
        true => Stop::Fail(what.into()),
        false => Stop::Skip(what.into()),
    }
}

/// The checks of one test: those that did not hold, as lines for a person.
#[derive(Default)]
pub struct Checks {
    context: String,
    broken: Vec<String>,
    notes: Vec<String>,
    done: usize,
}

impl Checks {
    /// Prefixes the diagnostics of the checks that follow.
    pub fn context(&mut self, context: impl Into<String>) {
        self.context = context.into();
    }

    /// Checks that `ok` holds, else notes what `says` tells.
    pub fn that(&mut self, ok: bool, says: impl FnOnce() -> String) {
        self.done += 1;
        if !ok {
            let prefix = match self.context.is_empty() {
                true => String::new(),
                false => format!("{}: ", self.context),
            };
            for line in says().lines() {
                self.broken.push(format!("{prefix}{line}"));
            }
        }
    }

    /// Checks that `got` is `want`.
    pub fn eq<T: PartialEq + Debug>(&mut self, what: &str, got: T, want: T) {
        self.that(got == want, || {
            format!("{what}: got {got:?}, expected {want:?}")
        });
    }

    /// Says what was seen, whether or not it is as it must be.
    pub fn note(&mut self, says: impl Into<String>) {
        self.notes.push(says.into());
    }

    /// Lines on what was seen.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Lines on what did not hold.
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// How many checks were made.
    pub fn done(&self) -> usize {
        self.done
    }
}
