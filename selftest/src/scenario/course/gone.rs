// SPDX-License-Identifier: GPL-2.0

//! When the processes are gone.

use std::thread::sleep;
use std::time::Duration;

use crate::knobs;
use crate::observe::{kpage, System};
use crate::shape::Shape;
use crate::verdict::{Checks, Stop};

/// Ends the processes of a shape; after that, all must be as it was before they came.
pub fn let_go(checks: &mut Checks, shape: Shape<'_>, origin: &System) -> Result<System, Stop> {
    let folio = shape.folio;
    shape.exit()?;
    check_gone(checks, (folio.pfn, folio.pages), origin)
}

/// When the processes are gone, all must be as it was before they came.
pub fn check_gone(
    checks: &mut Checks,
    (pfn, pages): (u64, usize),
    origin: &System,
) -> Result<System, Stop> {
    let mut attempt = 0;
    loop {
        let now = System::take()?;
        let mut left = now.left_since(origin);
        let frames = kpage::flags(pfn, pages)?.into_iter();
        let orphans = frames.filter(|f| f.has("anon") && !f.has("mmap")).count();
        if orphans > 0 {
            left.push(format!(
                "{orphans} page frames are still anonymous memory of nobody"
            ));
        }
        if left.is_empty() {
            return Ok(now);
        }
        attempt += 1;
        match attempt {
            // Per-CPU lists hold references for a while; this drains them.
            2 => knobs::write("/proc/sys/vm/drop_caches", "1")?,
            20 => {
                checks.that(false, || left.join("\n"));
                return Ok(now);
            }
            _ => sleep(Duration::from_millis(20)),
        }
    }
}
