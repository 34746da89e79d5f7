// SPDX-License-Identifier: GPL-2.0

//! The whole path, from the rmap walk to the last restored entry.

use crate::{
    bindings::*,
    machine::Machine,
    property::holds,
    recipe::{recipe, Kind, Recipe, Space},
    reference::{Asked, Counted, Plain},
    ttu::{flags::TtuFlags, tally::Stop},
};
use proptest::prelude::*;
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
};

/// Unmaps the folio by the module and by the reference, and compares all there is.
///
/// Returns what was before, what is now, and what was counted.
fn unmap(recipe: &Recipe) -> Result<(Plain, Machine, Counted), TestCaseError> {
    let mut machine = Machine::new(recipe);
    machine.check_balance()?;
    let asked = Asked {
        batch_flush: recipe.batch_flush,
        ignore_mlock: recipe.ignore_mlock,
        hwpoison: recipe.hwpoison,
    };
    let mut flags = TtuFlags::SYNC | TtuFlags::SPLIT_HUGE_PMD;
    for (wanted, flag) in [
        (asked.batch_flush, TtuFlags::BATCH_FLUSH),
        (asked.ignore_mlock, TtuFlags::IGNORE_MLOCK),
        (asked.hwpoison, TtuFlags::HWPOISON),
    ] {
        if wanted {
            flags = flags | flag;
        }
    }

    let before = machine.plain();
    let mut expected = machine.folded();
    let counted = expected.unmap(asked);
    expected.forget_blocks();
    let tally = machine.unmap(flags);

    machine.check_balance()?;
    let now = machine.plain();
    for (space, expected) in now.spaces.iter().zip(&expected.spaces) {
        for (place, (pte, expected)) in space.ptes.iter().zip(&expected.ptes).enumerate() {
            prop_assert_eq!(pte, expected, "entry {}", place);
        }
    }
    prop_assert_eq!(now, expected);
    let tally = Counted {
        batches: tally.batches,
        runs: tally.runs,
        unmapped: tally.unmapped,
        restored: tally.restored,
        lengths: tally.lengths,
        stop: tally.stop,
    };
    prop_assert_eq!(&tally, &counted);
    Ok((before, machine, counted))
}

/// Has no entry say that its page is not needed.
fn all_needed(space: &mut Space) {
    for (_, _, flags) in &mut space.rows {
        *flags &= !UNUSED;
    }
}

/// One address space, one VMA, and pages that can be pinned or without room for a count.
fn with_failures() -> impl Strategy<Value = Recipe> {
    let failure = prop_oneof![
        (0..4u32).prop_map(|run| (Some(run), None)),
        (0..64usize).prop_map(|slot| (None, Some(slot))),
    ];
    (recipe(), failure).prop_map(|(mut recipe, (pinned_from, full_slot))| {
        recipe.spaces.truncate(1);
        recipe.spaces[0].cuts.clear();
        recipe.spaces[0].vma_flags = vec![0];
        all_needed(&mut recipe.spaces[0]);
        recipe.swapbacked = true;
        recipe.hwpoison = false;
        recipe.pinned_from = pinned_from;
        recipe.memory = false;
        recipe.counts = match full_slot {
            Some(slot) => vec![(slot, 0), (1, COUNT_MAX - 1), (64, 0)],
            None => vec![(1, 0)],
        };
        recipe
    })
}

#[test]
fn any_folio_ends_as_one_page_after_the_other_would() {
    holds(40_000, recipe(), |recipe| unmap(&recipe).map(drop));
}

#[test]
fn runs_before_a_failure_stay_and_the_rest_is_restored_bit_for_bit() {
    holds(30_000, with_failures(), |recipe| {
        let (before, machine, counted) = unmap(&recipe)?;
        let now = machine.plain();
        let (mut done, mut failed) = (0, false);
        for (old, new) in before.spaces[0].ptes.iter().zip(&now.spaces[0].ptes) {
            if new.has(SWAP) {
                prop_assert!(!failed, "an entry behind a failure is gone");
                done += 1;
                continue;
            }
            let ours = old.mapped_pfn().is_some_and(|pfn| {
                (machine.folio.pfn..machine.folio.pfn + before.nr).contains(&pfn)
            });
            failed |= ours;
            prop_assert_eq!(old.without(LOOSE), new.without(LOOSE));
            prop_assert!(new.has(old.pte & LOOSE), "a bit of the hardware's is lost");
        }
        prop_assert_eq!(done, counted.unmapped);
        prop_assert_eq!(failed, counted.stop.is_some(), "failed without a reason");
        let kept = now.exclusive.iter().filter(|&&exclusive| exclusive).count();
        let had = before
            .exclusive
            .iter()
            .filter(|&&exclusive| exclusive)
            .count();
        prop_assert!(failed || had - kept <= done as usize);
        Ok(())
    });
}

#[test]
fn the_failing_run_is_named_and_no_reference_of_it_stays() {
    holds(10_000, with_failures(), |recipe| {
        let (before, machine, counted) = unmap(&recipe)?;
        let now = machine.plain();
        let grown: i32 = now
            .counts
            .iter()
            .zip(&before.counts)
            .map(|(now, old)| now - old)
            .sum();
        prop_assert_eq!(grown, counted.unmapped as i32, "swap references");
        match counted.stop {
            Some(Stop::Pinned) => prop_assert!(recipe.pinned_from.is_some()),
            Some(stop) => prop_assert_eq!(stop, Stop::SwapDup),
            None => prop_assert!(!machine.folio.pages().iter().any(|page| page.mapcount > 0)),
        }
        Ok(())
    });
}

#[test]
fn a_folio_mapped_evenly_is_one_batch_a_page_table() {
    holds(5_000, recipe(), |mut recipe| {
        recipe.spaces.truncate(1);
        let space = &mut recipe.spaces[0];
        space.cuts.clear();
        space.vma_flags = vec![0];
        space.huge = false;
        all_needed(space);
        space.rows = vec![(64, Kind::Page, space.rows[0].2)];
        let (first, nr) = (space.place, 1 << recipe.order);
        let tables = (first + nr - 1) / HPAGE_PMD_NR - first / HPAGE_PMD_NR + 1;
        recipe.exclusive = vec![(1, recipe.exclusive[0].1)];
        recipe.swapbacked = true;
        recipe.hwpoison = false;
        recipe.pinned_from = None;
        recipe.memory = true;
        let (_, machine, counted) = unmap(&recipe)?;
        prop_assert_eq!(counted.batches as usize, tables);
        prop_assert_eq!(counted.runs as usize, tables);
        prop_assert_eq!(counted.unmapped as usize, nr);
        prop_assert_eq!(machine.unfolded(), 0, "a contpte block was unfolded");
        Ok(())
    });
}

/// What has become of entries that are out of the ordinary, each said once.
fn fates(before: &Plain, now: &Plain) -> BTreeSet<&'static str> {
    let mut fates = BTreeSet::new();
    for vma in &before.vmas {
        let ptes = |plain: &Plain| plain.spaces[vma.space].ptes[vma.range.clone()].to_vec();
        for (old, new) in ptes(before).into_iter().zip(ptes(now)) {
            let protected = vma.leaves_markers && (old.has(UFFD) || old.has(SWP_UFFD));
            fates.extend([
                (old.has(UNUSED) && new.pte == 0).then_some("dropped, not being needed"),
                (old.has(UNUSED) && new.has(SWAP)).then_some("kept for userfaultfd"),
                (protected && new.has(SWP_UFFD)).then_some("a marker is overwritten"),
                (old.has(DEVICE_EXCLUSIVE) && new.has(SWAP)).then_some("a device's is gone"),
            ]);
        }
    }
    fates.into_iter().flatten().collect()
}

#[test]
fn the_cases_reach_every_way_to_end() {
    let seen = RefCell::new(BTreeMap::new());
    let see = |what: String| *seen.borrow_mut().entry(what).or_insert(0) += 1;
    holds(10_000, recipe(), |recipe| {
        let (before, machine, counted) = unmap(&recipe)?;
        see(format!("{:?}", counted.stop));
        for what in fates(&before, &machine.plain()) {
            see(what.into());
        }
        if counted.restored > 0 && counted.unmapped > 0 {
            see("stopped within a batch or behind one".into());
        }
        if counted.runs > counted.batches {
            see("more runs than batches".into());
        }
        if counted.batches > 1 && counted.lengths[4..].iter().any(|&count| count > 0) {
            see("a long batch among others".into());
        }
        Ok(())
    });
    let seen = seen.into_inner();
    for what in [
        "None",
        "Some(Pinned)",
        "Some(SwapDup)",
        "Some(Mlocked)",
        "Some(Redirtied)",
        "Some(ExtraReferences)",
        "stopped within a batch or behind one",
        "more runs than batches",
        "a long batch among others",
        "dropped, not being needed",
        "kept for userfaultfd",
        "a marker is overwritten",
        "a device's is gone",
    ] {
        let times = seen.get(what).copied().unwrap_or(0);
        assert!(times >= 50, "{what}: {times} of 10000; {seen:?}");
    }
}
