// SPDX-License-Identifier: GPL-2.0

//! States that the kernel promises not to have: the path warns, and changes nothing for good.

use crate::{
    bindings::*,
    machine::Machine,
    property::holds,
    recipe::{recipe, Kind, Recipe},
    ttu::{
        flags::TtuFlags,
        tally::{Stop, Tally},
    },
};
use kernel::warnings_of;
use proptest::prelude::*;

/// A folio that one VMA maps, and that nothing but `change` keeps from being unmapped.
fn one_vma(change: fn(&mut Recipe)) -> impl Strategy<Value = Recipe> {
    recipe().prop_map(move |mut recipe| {
        recipe.spaces.truncate(1);
        let space = &mut recipe.spaces[0];
        space.cuts.clear();
        space.vma_flags = vec![0];
        space.huge = false;
        recipe.hwpoison = false;
        change(&mut recipe);
        recipe
    })
}

/// Unmaps the folio, which has to warn once and to stop for this reason.
fn stops(machine: &mut Machine, flags: TtuFlags, stop: Stop) -> Result<Tally, TestCaseError> {
    let (tally, warnings) = warnings_of(|| machine.unmap(flags));
    prop_assert_eq!((tally.stop, warnings), (Some(stop), 1));
    prop_assert_eq!((tally.runs, tally.unmapped), (0, 0));
    machine.check_balance()?;
    Ok(tally)
}

#[test]
fn a_pmd_mapping_that_nobody_wants_split_is_left_alone() {
    let by_pmd = one_vma(|recipe| {
        recipe.order = HPAGE_PMD_NR.ilog2();
        recipe.spaces[0].place = HPAGE_PMD_NR;
        recipe.spaces[0].huge = true;
    });
    holds(2_000, by_pmd, |recipe| {
        let mut machine = Machine::new(&recipe);
        let before = machine.plain();
        prop_assert!(before.spaces[0].huge, "not mapped by a PMD");
        let tally = stops(&mut machine, TtuFlags::SYNC, Stop::PmdMapped)?;
        prop_assert_eq!((tally.batches, tally.restored), (0, 0));
        prop_assert_eq!(machine.plain(), before);
        Ok(())
    });
}

#[test]
fn an_entry_of_another_folio_is_left_alone() {
    let other_first = one_vma(|recipe| recipe.spaces[0].rows.insert(0, (1, Kind::Other, WRITE)));
    holds(5_000, other_first, |recipe| {
        let mut machine = Machine::new(&recipe);
        machine.folio.astray = true;
        let before = machine.plain();
        let tally = stops(&mut machine, TtuFlags::SYNC, Stop::Inconsistent)?;
        prop_assert_eq!((tally.batches, tally.restored), (0, 0));
        prop_assert_eq!(machine.plain(), before);
        Ok(())
    });
}

#[test]
fn entries_of_a_swap_backed_folio_without_slots_are_put_back() {
    let mapped_first = one_vma(|recipe| {
        recipe.spaces[0].rows.insert(0, (1, Kind::Page, WRITE));
        recipe.swapbacked = true;
    });
    holds(5_000, mapped_first, |recipe| {
        let mut machine = Machine::new(&recipe);
        machine.lose_slots();
        let before = machine.plain();
        let flags = TtuFlags::SYNC | TtuFlags::SPLIT_HUGE_PMD;
        let tally = stops(&mut machine, flags, Stop::Inconsistent)?;
        prop_assert_eq!(tally.batches, 1);
        prop_assert!(tally.restored > 0);
        let now = machine.plain();
        for (old, new) in before.spaces[0].ptes.iter().zip(&now.spaces[0].ptes) {
            prop_assert_eq!(old.without(LOOSE), new.without(LOOSE));
            prop_assert!(new.has(old.pte & LOOSE), "a bit of the hardware's is lost");
        }
        prop_assert_eq!(
            (now.counts, now.exclusive),
            (before.counts, before.exclusive)
        );
        Ok(())
    });
}
