// SPDX-License-Identifier: GPL-2.0

//! Failures that are injected: each place in the path that can fail, at each call.
//!
//! What was done before stays done, what was not is as it was; nothing is lost, counted wrong or
//! left behind, and the same request succeeds when the failure is over.

mod lazyfree;
mod left;
mod limit;
mod live;
mod loading;
mod nth;
mod place;
mod pressure;
mod refusals;
mod sleeping;
mod stops;

use crate::runner::Test;

/// In the path itself, at each call.
pub fn in_path() -> Vec<Test> {
    let mut tests = stops::tests();
    tests.extend(lazyfree::tests());
    tests.extend(live::tests());
    tests
}

/// Asleep in the path, on the way to it, at its limits, everywhere in turn, and now and then.
pub fn around() -> Vec<Test> {
    let mut tests = sleeping::tests();
    tests.extend(refusals::tests());
    tests.extend(limit::tests());
    tests.extend(nth::tests());
    tests.extend(loading::tests());
    tests.extend(pressure::tests());
    tests
}
