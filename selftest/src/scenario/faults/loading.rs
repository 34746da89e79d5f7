// SPDX-License-Identifier: GPL-2.0

//! One allocation after the other fails while the module is loaded.

use crate::faults::Nth;
use crate::live;
use crate::module::{self, Module};
use crate::runner::Test;
use crate::trigger;
use crate::verdict::{Checks, Stop};

/// How far in front of what the module itself allocates to begin. Earlier, the kernel warns of what
/// fails there.
const BEFORE: u64 = 8;
/// So many at the beginning and in the end are tried each.
const EACH: u64 = 24;
/// Between them are mostly files of the places that can fail, and there one of so many is.
const STRIDE: u64 = 48;

/// One test.
pub fn tests() -> Vec<Test> {
    let name = "faults-around: the n-th of all: loading with live=1";
    vec![Test::new(name, run)]
}

fn run(checks: &mut Checks) -> Result<(), Stop> {
    let nth = Nth::new()?;
    let module = Module::open()?;
    module::unload()?;
    let ended = loading(checks, &nth, &module);
    if module::traces().is_empty() {
        module.load("")?;
    }
    trigger::stats()?;
    checks.eq("live at the end", live::read()?, "0\n".into());
    ended
}

fn loading(checks: &mut Checks, nth: &Nth, module: &Module) -> Result<(), Stop> {
    // That is refused before anything else.
    let (refused, kernel) = nth.count(|| module.load("live=2"))?;
    let errno = refused.err().and_then(|e| e.raw_os_error());
    checks.eq("errno of live=2", errno, Some(libc::EINVAL));
    let (loaded, all) = nth.count(|| module.load("live=1"))?;
    loaded?;
    module::unload()?;
    checks.note(format!("{kernel} places in the kernel, {all} in all"));
    let first = kernel.saturating_sub(BEFORE);
    let mut refusals = 0;
    for n in first..=all {
        if n > first + EACH && n + EACH < all && n % STRIDE != 0 {
            continue;
        }
        let what = format!("failure {n} of {all}");
        let (loaded, _) = nth.during(n, || module.load("live=1"))?;
        match loaded {
            // There are allocations that the kernel can do without.
            Ok(()) => {
                checks.eq(&what, live::redirected()?, true);
                module::unload()?;
            }
            Err(e) => {
                checks.eq(&what, e.raw_os_error(), Some(libc::ENOMEM));
                refusals += 1;
            }
        }
        checks.eq(&format!("left after {what}"), module::traces(), vec![]);
        let what = format!("redirected after {what}");
        checks.eq(&what, live::redirected()?, false);
        if !checks.broken().is_empty() {
            return Err(Stop::Fail("no further place is tried after that".into()));
        }
    }
    checks.note(format!("refused {refusals} times"));
    checks.that(refusals > 0, || "loading was never refused".into());
    Ok(())
}
