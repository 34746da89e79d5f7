// SPDX-License-Identifier: GPL-2.0

//! From an address to a folio, and what becomes of it when that is asked for.

use crate::{
    bindings::{OF_FILE, PAGE_SIZE},
    control::{
        reason::Reason,
        request::{Path, Request},
    },
    machine::Machine,
    property::holds,
    recipe::{recipe, Recipe},
    sys::mm::MmUser,
    target,
};
use proptest::prelude::*;

/// What may happen to a folio after it was looked up and before it is locked.
#[derive(Clone, Copy, Debug)]
enum Event {
    Merged,
    Mlocked,
    Writeback,
}

impl Event {
    fn happen(self, machine: &mut Machine) {
        let folio = &mut *machine.folio;
        match self {
            Event::Merged => folio.merged = true,
            Event::Mlocked => folio.mlocked = true,
            Event::Writeback => folio.writeback = true,
        }
    }
}

fn event() -> impl Strategy<Value = Option<Event>> {
    use Event::*;
    let any = prop::sample::select(vec![Merged, Mlocked, Writeback]);
    prop::option::weighted(0.2, any)
}

/// A folio in anonymous memory, to which no swap entry refers yet.
fn on_list() -> impl Strategy<Value = Recipe> {
    recipe().prop_map(|mut recipe| {
        for flags in recipe
            .spaces
            .iter_mut()
            .flat_map(|space| &mut space.vma_flags)
        {
            *flags &= !OF_FILE;
        }
        recipe.counts = vec![(1, 0)];
        recipe.swapbacked |= recipe.dirty;
        recipe
    })
}

#[test]
fn a_folio_is_unmapped_or_its_swap_slots_are_given_back() {
    let options = (
        any::<bool>(),
        prop::bool::weighted(0.8),
        any::<prop::sample::Index>(),
        event(),
    );
    holds(
        15_000,
        (on_list(), options),
        |(recipe, (reclaim, space, index, event))| {
            let mut machine = Machine::new(&recipe);
            machine.put_on_list(space);
            machine.check_balance()?;
            let addresses = machine.mapped_addresses();
            if addresses.is_empty() {
                return Ok(());
            }
            let address = addresses[index.index(addresses.len())];

            let mm = MmUser::of_pid(1).unwrap();
            let found = target::folio_at(&mm, address + 123);
            prop_assert!(found.is_ok(), "no folio is found");
            if let Some(event) = event {
                event.happen(&mut machine);
            }
            let before = machine.plain();
            let request = Request {
                pid: 1,
                address,
                length: 0,
                path: Path::Batched,
                reclaim,
            };
            let outcome = target::unmap_folio(found.unwrap(), &request);

            machine.check_balance()?;
            let folio = &machine.folio;
            let mapped = folio.entire > 0 || folio.pages().iter().any(|page| page.mapcount > 0);
            prop_assert!(!folio.locked, "the folio stays locked");
            prop_assert_eq!(outcome.failure.is_some(), mapped);
            prop_assert_eq!(outcome.pages, folio.pages().len());
            prop_assert_eq!(outcome.unmapped, outcome.tally.unmapped as usize);
            // What is in no swap slot goes with its last mapping, unless somebody has it.
            let nobody_has_it = !machine.in_swapcache() && recipe.extra_refs == 0;
            prop_assert_eq!(folio.freed, !mapped && (reclaim || nobody_has_it));
            prop_assert!(folio.lru || folio.freed, "not on its list");
            let reclaimed = if reclaim && !mapped {
                folio.pages().len()
            } else {
                0
            };
            prop_assert_eq!(outcome.reclaimed, reclaimed);
            if mapped && recipe.swapbacked {
                prop_assert_eq!(
                    machine.in_swapcache(),
                    machine.slots_in_use(),
                    "swap slots are left over"
                );
            }
            let refusal = match event {
                Some(Event::Merged) => Some(Reason::Unsupported),
                _ if recipe.hwpoison => Some(Reason::Hwpoison),
                Some(Event::Mlocked) => Some(Reason::Mlocked),
                Some(Event::Writeback) => Some(Reason::Writeback),
                None if recipe.swapbacked && !space => Some(Reason::NoSwapSpace),
                None => None,
            };
            if refusal.is_some() {
                prop_assert_eq!(outcome.failure, refusal);
                prop_assert_eq!(machine.plain(), before, "a refused folio has changed");
            }
            Ok(())
        },
    );
}

#[test]
fn a_range_is_looked_at_page_by_page_to_its_end() {
    let bounds = (0..200usize, 0..200usize);
    holds(10_000, (on_list(), bounds), |(recipe, (first, nr))| {
        let mut machine = Machine::new(&recipe);
        machine.put_on_list(true);
        let start = crate::bindings::FIRST_ADDRESS + first * PAGE_SIZE;
        let mut range = start..start + nr * PAGE_SIZE;
        let mut expected = machine.mapped_addresses();
        expected.retain(|address| range.contains(address));

        let mm = MmUser::of_pid(1).unwrap();
        let mut found = vec![];
        while range.start < range.end {
            let before = range.start;
            if target::next_folio(&mm, &mut range, None).unwrap().is_some() {
                found.push(range.start - PAGE_SIZE);
            }
            prop_assert!(range.start > before, "the range does not get shorter");
            prop_assert!(range.start <= range.end, "the range is left");
        }
        prop_assert_eq!(found, expected);
        machine.check_balance()
    });
}
