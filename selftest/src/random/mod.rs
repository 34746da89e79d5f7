// SPDX-License-Identifier: GPL-2.0

//! Scenarios drawn from a seed.
//!
//! A [`plan`] says what becomes of a folio and when it is unmapped. It is carried out twice, by
//! either path; what is seen must agree field by field, and every byte must be what was written.
//! So nothing here has to know what the kernel does in each case.

mod act;
mod course;
pub mod draw;
pub mod fuzz;
mod ksm;
pub mod plan;
mod scene;
mod shrink;

use std::time::{Duration, Instant};

use crate::knobs;
use crate::runner::Test;
use crate::verdict::{Checks, Stop};
use plan::Plan;

/// How long a plan that fails may be made smaller: a test has twice that time.
const SHRINKING: Duration = Duration::from_secs(30);

/// The test of a plan, of which `whose` says where it is from.
pub fn test(name: impl Into<String>, whose: String, plan: Plan) -> Test {
    Test::new(name, move |checks| judge(checks, &whose, &plan))
}

const ARCH: &str = if cfg!(target_arch = "aarch64") {
    "arm64"
} else {
    "amd64"
};

/// The kernel flavour, as `make` calls it: what follows the version in a release, as in
/// "7.3.4+deb13-arm64-16k" or "7.3.4-amd64-debug". The architecture alone if no such thing does.
fn flavour_of(release: &str) -> &str {
    match release.trim().split_once('-') {
        Some((_, flavour)) if flavour.split('-').any(|word| word == ARCH) => flavour,
        _ => ARCH,
    }
}

/// Judges a plan. Of one that fails, says the smallest that fails, before all else.
fn judge(checks: &mut Checks, whose: &str, plan: &Plan) -> Result<(), Stop> {
    let mut found = Checks::default();
    let stop = attempt(&mut found, whose, plan);
    if has_failed(&found, &stop) {
        // The guest may not survive the next attempts.
        for line in found.broken().iter().take(9) {
            log(line)?;
        }
        let until = Instant::now() + SHRINKING;
        let whose = format!("{whose}, made smaller");
        let least = shrink::shrink(plan, until, &mut |smaller| {
            let mut checks = Checks::default();
            let stop = attempt(&mut checks, &whose, smaller);
            has_failed(&checks, &stop)
        });
        let release = knobs::read("/proc/sys/kernel/osrelease")?;
        checks.that(false, || {
            let flavour = flavour_of(&release);
            format!("replay: make fuzz PLAN='{least}' ARCHES={flavour}")
        });
    }
    checks.that(found.broken().is_empty(), || found.broken().join("\n"));
    stop
}

fn has_failed(checks: &Checks, stop: &Result<(), Stop>) -> bool {
    !checks.broken().is_empty() || matches!(stop, Err(Stop::Fail(_)))
}

/// Carries a plan out, when the kernel's log has it: should the kernel not survive it, that says
/// which it was.
fn attempt(checks: &mut Checks, whose: &str, plan: &Plan) -> Result<(), Stop> {
    // It wants the end of the line, too; without this, the kernel's log drops lines.
    knobs::write("/proc/sys/kernel/printk_devkmsg", "on\n")?;
    log(&format!("plan of {whose}: {plan}"))?;
    course::judge(checks, plan)
}

fn log(line: &str) -> Result<(), Stop> {
    Ok(knobs::write("/dev/kmsg", &format!("<6>selftest: {line}"))?)
}

#[cfg(test)]
mod tests {
    use super::{flavour_of, ARCH};

    #[test]
    fn flavours() {
        for flavour in ["", "-16k", "-debug"].map(|more| format!("{ARCH}{more}")) {
            for version in ["7.3.4+deb13", "7.3.4"] {
                assert_eq!(flavour_of(&format!("{version}-{flavour}\n")), flavour);
            }
        }
        let cloud = format!("cloud-{ARCH}");
        assert_eq!(flavour_of(&format!("7.3.4+deb13-{cloud}")), cloud);
        for release in ["7.3.4", "7.3.4-rc1", "", "7.3.4-generic"] {
            assert_eq!(flavour_of(release), ARCH);
        }
    }
}
