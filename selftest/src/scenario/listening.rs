// SPDX-License-Identifier: GPL-2.0

//! A device that has read a folio keeps entries for its pages, until an mmu notifier tells it that
//! the process's entries go.

use super::course::{self, Plan, Via};
use crate::hmm::Device;
use crate::live::{self, Since};
use crate::observe::{mthp, System};
use crate::runner::Test;
use crate::shape::{self, bytes, whole, Folio, Mapping, SEED};
use crate::subject::Family;
use crate::trigger::Path;
use crate::verdict::{Checks, Stop};

/// Of a folio, at most so many pages are read, and the last one.
const MOST: usize = 16;

/// Folios of several sizes, written to swap and freed by either path, and by reclaim in live mode.
pub fn tests() -> Vec<Test> {
    let mut tests = Vec::new();
    let pmd = mthp::pmd_order();
    for (order, mapping) in [(0, Mapping::Pte), (4, Mapping::Pte), (pmd, Mapping::Pmd)] {
        for via in [Path::Kernel, Path::Batched]
            .map(Via::Module)
            .into_iter()
            .chain([Via::Live])
        {
            // Which leaves single pages to the kernel.
            if order == 0 && via == Via::Live {
                continue;
            }
            let size = bytes(1 << order) / 1024;
            let name = format!(
                "device: {size} kB by {mapping:?} that it has read, {}",
                via.name()
            );
            tests.push(Test::new(name, move |checks| {
                let told = is_told(checks, (order, mapping), via);
                live::set(false)?;
                told
            }));
        }
    }
    tests
}

fn is_told(checks: &mut Checks, (order, mapping): (u32, Mapping), via: Via) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let origin = System::take()?;
    let shape = shape::exclusive(&family, order, mapping)?;
    whole::must_be_swapped(order)?;
    let (folio, subject) = (shape.folio, &shape.subjects[0]);
    let device = Device::open(&family, subject)?;
    // Whatever it reads once more without a fault, it has an entry for.
    read(checks, &device, &folio, ("at first", SEED, 1))?;
    read(checks, &device, &folio, ("once more", SEED, 0))?;

    let since = Since::now()?;
    course::unmap(&shape, &Plan::new(via, true))?;
    let live = u64::from(via == Via::Live);
    since.check(checks, &[("live_folios", live), ("failed", 0)])?;
    let after = shape.look()?;
    let left = after.processes[0].pages.iter().filter(|p| !p.swapped());
    checks.eq("pages that are not in swap", left.count(), 0);

    // From here on the pages are others, and nothing but the unmap can have told the device: who
    // writes to an exclusive page that was in swap replaces no entry that is present.
    subject.fill(folio.address, folio.len(), SEED + 1)?;
    read(checks, &device, &folio, ("after the unmap", SEED + 1, 1))?;
    course::let_go(checks, shape, &origin)?;
    Ok(())
}

/// Has the device read pages, each of which has to hold the pattern of `seed`, and to cost it as
/// many faults.
fn read(
    checks: &mut Checks,
    device: &Device<'_, '_>,
    folio: &Folio,
    (when, seed, faults): (&str, u64, u64),
) -> Result<(), Stop> {
    let step = folio.pages.div_ceil(MOST);
    let pages = (0..folio.pages - 1).step_by(step).chain([folio.pages - 1]);
    for i in pages {
        let what = format!("page {i}, read by the device {when}: (content is right, faults)");
        checks.eq(&what, device.read(folio.page(i), seed)?, (true, faults));
    }
    Ok(())
}
