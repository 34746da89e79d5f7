// SPDX-License-Identifier: GPL-2.0

//! A folio that is dropped: no swap, no content.

use super::Counts;
use crate::live::Since;
use crate::observe::{Snapshot, System};
use crate::scenario::course::{self, Plan};
use crate::scenario::facts::{self, Facts};
use crate::shape::Shape;
use crate::subject::Family;
use crate::verdict::{Checks, Stop};

/// Has it dropped as planned. With `charged`, looks at the statistics of a control group as well.
pub fn dropped(
    checks: &mut Checks,
    (plan, charged): (&Plan, bool),
    make: &dyn for<'f> Fn(&'f Family) -> Result<Shape<'f>, Stop>,
) -> Result<Facts, Stop> {
    let family = course::family(1, charged)?;
    let origin = System::take()?;
    let shape = make(&family)?;
    let folio = shape.folio;
    let mut seen = Facts::new();
    let before = shape.look()?;
    let since = Since::now()?;
    let answer = course::unmap(&shape, plan)?;
    let after = shape.look()?;
    facts::note(&mut seen, ("dropped", false), &folio, &before, &after);

    Counts::dropped(folio.pages, 1).check(checks, plan.via, answer.as_ref(), &since)?;
    check_dropped(checks, &shape, (&before, &after))?;
    let gone = course::let_go(checks, shape, &origin)?;
    facts::note_system(&mut seen, "gone", &origin, &gone);
    Ok(seen)
}

/// Nothing of the folio is left in any process, nor in swap, and all read zeroes.
pub fn check_dropped(
    checks: &mut Checks,
    shape: &Shape<'_>,
    (before, after): (&Snapshot, &Snapshot),
) -> Result<(), Stop> {
    let folio = &shape.folio;
    for (k, (was, now)) in before.processes.iter().zip(&after.processes).enumerate() {
        let what = |field| format!("{field} of process {k}");
        let left = now.pages.iter().filter(|e| e.present() || e.swapped());
        checks.eq(&what("entries left"), left.count(), 0);
        let kb = folio.size_kb() as u64;
        let (a, b) = (&was.status, &now.status);
        checks.eq(&what("RssAnon"), b.rss_anon + kb, a.rss_anon);
        checks.eq(&what("VmSwap"), b.vm_swap, a.vm_swap);
        for i in [0, folio.pages / 2, folio.pages - 1] {
            let byte = shape.subjects[k].peek(folio.page(i) + 1)?;
            checks.eq(&what("content"), byte, 0);
        }
    }
    let used = |of: &Snapshot| of.system.swap_used_kb;
    checks.eq("swap used", used(after), used(before));
    checks.eq("pswpout", after.system.moved(&before.system, "pswpout"), 0);
    Ok(())
}
