// SPDX-License-Identifier: GPL-2.0

//! What a run must have reached, for its answers to be worth something.

use super::tally::Tally;
use super::Plan;
use crate::live::Since;
use crate::shape::whole;
use crate::verdict::{Checks, Stop};

/// Among so many requests there are some of every kind.
const SOME_OF_ALL: u64 = 1400;
/// Among so many, of those that unmap something each path has some.
const SOME_OF_BOTH_PATHS: u64 = 5 * SOME_OF_ALL;

/// Checks the sums of a run, and what the module has counted since before it.
pub fn check(checks: &mut Checks, plan: &Plan, tally: &Tally, since: &Since) -> Result<(), Stop> {
    checks.eq("bytes lost", tally.lost.get(), 0);
    checks.that(tally.compared.get() > 0, || "nothing was compared".into());
    let some_of_all = plan.requests >= SOME_OF_ALL;
    let [kernel, batched] = &tally.unmapped;
    if some_of_all {
        for (what, n) in [
            ("pid was used again", &tally.reused),
            ("process died while it was asked about", &tally.met),
            ("process died while it asked", &tally.unanswered),
        ] {
            checks.that(n.get() > 0, || format!("no {what}"));
        }
        let seen = [kernel.get(), batched.get()];
        let enough = match plan.requests >= SOME_OF_BOTH_PATHS {
            true => seen.iter().all(|n| *n > 0),
            false => seen.iter().any(|n| *n > 0),
        };
        checks.that(enough, || {
            format!("entries that requests unmapped, by the kernel's path and batched: {seen:?}")
        });
    }

    let counted = since.moved("requests")?;
    let sure = tally.carried.get();
    let most = sure + tally.unsure.get();
    checks.that((sure..=most).contains(&counted), || {
        format!("the module counts {counted} requests, not {sure} to {most}")
    });
    let (counted, seen) = (since.moved("unmapped")?, kernel.get() + batched.get());
    checks.that(counted >= seen, || {
        format!("the module counts {counted} entries unmapped, its reports {seen}")
    });

    let (taken, given_up) = (since.moved("live_taken")?, tally.given_up.get());
    if plan.live == Some(false) {
        checks.eq("calls taken with live mode off", taken, 0);
    } else if some_of_all && whole::swapped()? {
        checks.that(taken > 0, || {
            format!("live mode took no call, when victims gave up memory {given_up} times")
        });
    }
    Ok(())
}
