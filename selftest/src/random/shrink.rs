// SPDX-License-Identifier: GPL-2.0

//! Makes a plan that fails smaller while it still fails.

use std::time::Instant;

use super::plan::{Layout, Plan};

/// Drops steps, and then what is special about the folio, until nothing more can go or it is time.
pub fn shrink(plan: &Plan, until: Instant, fails: &mut dyn FnMut(&Plan) -> bool) -> Plan {
    let mut best = plan.clone();
    let mut try_it = |best: &mut Plan, smaller: Plan| {
        let better = smaller != *best && Instant::now() < until && fails(&smaller);
        if better {
            *best = smaller;
        }
        better
    };
    loop {
        let mut better = false;
        // From the end: what comes last needs what came before.
        for i in (0..best.steps.len()).rev() {
            let mut smaller = best.clone();
            smaller.steps.remove(i);
            better |= try_it(&mut best, smaller);
        }
        if !better {
            break;
        }
    }
    let plain = Plan {
        layout: Layout::Alone,
        ..best.clone()
    };
    try_it(&mut best, plain);
    let by_pte = Plan {
        mapping: crate::shape::Mapping::Pte,
        ..best.clone()
    };
    try_it(&mut best, by_pte);
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn only_what_it_takes_stays() {
        let text = "order 4 pte near, fork 0, ro 0 2-5, write 0 0-16, pin 0 3-4, unmap 0 3-4";
        let plan: Plan = text.parse().unwrap_or_else(|e| panic!("{e}"));
        let until = Instant::now() + Duration::from_secs(60);
        let least = shrink(&plan, until, &mut |p| {
            let text = p.to_string();
            text.contains("pin") && text.contains("unmap")
        });
        assert_eq!(
            least.to_string(),
            "order 4 pte alone, pin 0 3-4, unmap 0 3-4"
        );
    }
}
