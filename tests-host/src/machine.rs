// SPDX-License-Identifier: GPL-2.0

//! What a recipe describes, as objects that the module can work on.

use crate::{
    bindings::*,
    property::lay_out,
    recipe::{Recipe, Space, PFN},
    reference::{Plain, PlainSpace, PlainVma},
    sys::{self, folio::LockedFolio, tlb},
    ttu::{self, flags::TtuFlags, tally::Tally},
};
use core::ptr;
use proptest::{prelude::*, test_runner::TestCaseResult};

/// A folio and the address spaces that map it.
pub(crate) struct Machine {
    pub(crate) folio: Box<folio>,
    slots: Box<swap_cluster_info>,
    #[expect(clippy::vec_box, reason = "others point to them")]
    mms: Vec<Box<mm_struct>>,
    #[expect(clippy::vec_box, reason = "others point to them")]
    vmas: Vec<Box<vm_area_struct>>,
    /// Swap references that others have.
    foreign: Vec<i32>,
    extra_refs: i32,
    /// A flush was put off of what may have been written through.
    writable: bool,
}

impl Machine {
    pub(crate) fn new(recipe: &Recipe) -> Self {
        WALKED.set((ptr::null_mut(), ptr::null_mut()));
        forget_flushes();
        let nr = 1 << recipe.order;
        let foreign = lay_out(&recipe.counts, nr);
        let odd = (0..nr).map(|index| (recipe.odd_slots >> index) & 1 != 0);
        let slots = swap_cluster_info::new(foreign.clone(), odd.collect(), recipe.memory);
        let mut machine = Self {
            folio: folio::new(PFN, &lay_out(&recipe.exclusive, nr)),
            slots: Box::new(slots),
            mms: vec![],
            vmas: vec![],
            foreign,
            extra_refs: recipe.extra_refs,
            writable: false,
        };
        let folio = &mut *machine.folio;
        folio.slots = &raw mut *machine.slots;
        folio.dirty = recipe.dirty;
        folio.hwpoison = recipe.hwpoison;
        folio.pinned_from = recipe.pinned_from;
        folio.set(PG_SWAPBACKED, recipe.swapbacked);
        folio.give_slots(recipe.swapbacked);
        for space in &recipe.spaces {
            machine.add_space(space, nr);
        }
        machine.folio.refs = machine.expected_refs();
        machine
    }

    fn add_space(&mut self, space: &Space, nr: usize) {
        let (place, ptes, huge) = space.entries(nr);
        let mut mm = Box::new(mm_struct {
            huge: vec![false; ptes.len() / HPAGE_PMD_NR],
            ptes,
            has_listeners: space.has_listeners,
            ..Default::default()
        });
        mm.tlb.defer = space.defer;
        mm.__bindgen_anon_1.tlb_flush_batched.counter = space.tlb_flush_batched;
        mm.counters = mm.count();
        if huge {
            mm.huge[place / HPAGE_PMD_NR] = true;
            self.folio.entire += 1;
        } else {
            for pfn in mm.ptes.iter().filter_map(|pte| pte.mapped_pfn()) {
                if let Some(page) = self.folio.pages_mut().get_mut(pfn.wrapping_sub(PFN)) {
                    page.mapcount += 1;
                }
            }
        }
        for (index, range) in space.vmas(place, nr).into_iter().enumerate() {
            if let Some(block) = space.contpte.filter(|_| !huge) {
                mm.contpte = Some(block);
                fold(
                    &mut mm,
                    place.max(range.start)..range.end.min(place + nr),
                    block,
                );
            }
            let mut vma = Box::new(vm_area_struct {
                __bindgen_anon_1: vma_bounds_union {
                    __bindgen_anon_1: vma_bounds {
                        vm_start: mm_struct::address_of(range.start),
                        vm_end: mm_struct::address_of(range.end),
                    },
                },
                __bindgen_anon_2: vma_flags_union {
                    vm_flags: space.vma_flags[index],
                },
                vm_mm: &raw mut *mm,
                vm_ops: match space.vma_flags[index] & OF_FILE {
                    0 => ptr::null(),
                    _ => ptr::dangling(),
                },
                folio_address: mm_struct::address_of(place),
                folio: &raw mut *self.folio,
            });
            self.folio.vmas.push(&raw mut *vma);
            self.vmas.push(vma);
        }
        self.mms.push(mm);
    }

    /// Puts the folio where reclaim would find it: on its list, and without swap slots.
    pub(crate) fn put_on_list(&mut self, space: bool) {
        self.slots.space = space;
        self.folio.lru = true;
        self.folio.give_slots(false);
        self.folio.refs = self.expected_refs();
        PROCESS.set((&raw mut *self.mms[0], &raw mut *self.folio));
    }

    /// Takes the swap slots away from the folio.
    pub(crate) fn lose_slots(&mut self) {
        self.folio.give_slots(false);
        self.folio.refs = self.expected_refs();
    }

    /// Returns the addresses of the pages that the first address space maps, present or not.
    pub(crate) fn mapped_addresses(&self) -> Vec<usize> {
        let ours = PFN..PFN + self.folio.pages().len();
        let ptes = self.mms[0].ptes.iter().enumerate();
        ptes.filter(|(_, pte)| pte.has(PRESENT) && ours.contains(&pte.number()))
            .map(|(place, _)| mm_struct::address_of(place))
            .collect()
    }

    /// Returns whether somebody refers to a swap slot.
    pub(crate) fn slots_in_use(&self) -> bool {
        self.slots.counts.iter().any(|&count| count > 0)
    }

    /// One for whoever has isolated it, one a page for the swap cache, one a mapping.
    fn expected_refs(&self) -> i32 {
        let cache = if self.folio.has(PG_SWAPCACHE) {
            self.folio.pages().len() as i32
        } else {
            0
        };
        let mapped: i32 = self.folio.pages().iter().map(|page| page.mapcount).sum();
        i32::from(!self.folio.lru) + self.extra_refs + cache + mapped + self.folio.entire
    }

    /// Returns whether the folio has swap slots.
    pub(crate) fn in_swapcache(&self) -> bool {
        self.folio.has(PG_SWAPCACHE)
    }

    /// Returns all that can be seen. Which entries are one contpte block cannot.
    pub(crate) fn plain(&self) -> Plain {
        let mut plain = self.folded();
        plain.forget_blocks();
        plain
    }

    /// Returns what the reference works on.
    pub(crate) fn folded(&self) -> Plain {
        let place = |address| mm_struct::place_of(address);
        let number_of = |vma: &vm_area_struct| {
            let mut mms = self.mms.iter();
            mms.position(|mm| ptr::eq(&**mm, vma.vm_mm)).unwrap()
        };
        Plain {
            nr: self.folio.pages().len(),
            spaces: self
                .mms
                .iter()
                .map(|mm| PlainSpace {
                    ptes: mm.ptes.clone(),
                    contpte: mm.contpte,
                    huge: mm.huge.contains(&true),
                    hiwater: mm.hiwater_rss,
                    on_mmlist: mm.on_mmlist,
                    defer: mm.tlb.defer,
                    flushes: mm.tlb.flushes,
                    put_off: mm.tlb.put_off,
                    tlb_flush_batched: mm.__bindgen_anon_1.tlb_flush_batched.counter,
                })
                .collect(),
            vmas: self
                .vmas
                .iter()
                .map(|vma| PlainVma {
                    space: number_of(vma),
                    range: place(vma.range().start)..place(vma.range().end),
                    first: place(vma.folio_address),
                    locked: vma.has(VM_LOCKED),
                    droppable: vma.has(VM_DROPPABLE),
                    armed: vma.has(VM_UFFD_MISSING) || vma.has(VM_UFFD_WP),
                    leaves_markers: vma.has(OF_FILE) && vma.has(VM_UFFD_WP),
                })
                .collect(),
            exclusive: self
                .folio
                .pages()
                .iter()
                .map(|page| page.has(PG_ANON_EXCLUSIVE))
                .collect(),
            counts: self.slots.counts.clone(),
            memory: self.slots.memory,
            swapbacked: self.folio.has(PG_SWAPBACKED),
            dirty: self.folio.dirty,
            extra_refs: self.extra_refs,
            hwpoison: self.folio.hwpoison,
            pin_questions: self.folio.pin_questions,
            pinned_from: self.folio.pinned_from,
            writable: self.writable,
        }
    }

    /// Has the module unmap the folio, and do what it has put off.
    pub(crate) fn unmap(&mut self, flags: TtuFlags) -> Tally {
        let mut tally = Tally::default();
        let folio = LockedFolio::trylock(sys::lend(&mut self.folio)).unwrap();
        ttu::try_to_unmap(&folio, flags, &mut tally);
        // SAFETY: The batch of this thread, of which nobody has a reference now.
        self.writable = unsafe { (*current_tlb_ubc()).writable };
        tlb::try_to_unmap_flush();
        tally
    }

    /// Returns how many contpte blocks were unfolded.
    pub(crate) fn unfolded(&self) -> u32 {
        self.mms.iter().map(|mm| mm.unfolded).sum()
    }

    /// Counts everything anew and compares with what was counted on the way.
    pub(crate) fn check_balance(&self) -> TestCaseResult {
        let mut mapped = vec![0; self.folio.pages().len()];
        let mut counts = self.foreign.clone();
        for mm in &self.mms {
            prop_assert_eq!(mm.counters, mm.count(), "counters of an mm");
            prop_assert!(mm.locked.is_none(), "a page table stays locked");
            prop_assert!(mm.invalidations.is_empty(), "an invalidation has no end");
            prop_assert!(mm.tlb.unflushed.is_empty(), "not flushed");
            for pte in &mm.ptes {
                let table_is_huge = mm.huge.contains(&true);
                if let Some(pfn) = pte.mapped_pfn().filter(|_| !table_is_huge) {
                    if let Some(page) = mapped.get_mut(pfn.wrapping_sub(PFN)) {
                        *page += 1;
                    }
                }
                if pte.has(SWAP) {
                    counts[pte.number() - FIRST_SLOT] += 1;
                }
            }
        }
        let mapcounts: Vec<_> = self
            .folio
            .pages()
            .iter()
            .map(|page| page.mapcount)
            .collect();
        prop_assert_eq!(mapcounts, mapped, "mapcounts of pages");
        prop_assert_eq!(&self.slots.counts, &counts, "references to swap slots");
        prop_assert_eq!(
            self.folio.refs,
            self.expected_refs(),
            "references to the folio"
        );
        Ok(())
    }
}

/// Makes contpte blocks of the aligned entries in a range that allow it.
fn fold(mm: &mut mm_struct, range: core::ops::Range<usize>, block: usize) {
    let first = range.start.next_multiple_of(block);
    for place in (first..range.end).step_by(block) {
        let Some(entries) = mm.ptes.get_mut(place..place + block) else {
            return;
        };
        if place + block > range.end {
            return;
        }
        let tight = |pte: &pte_t| pte.without(LOOSE).pte & u64::from(u32::MAX);
        let (number, flags) = (entries[0].number(), tight(&entries[0]));
        let alike = entries.iter().enumerate().all(|(index, pte)| {
            pte.has(PRESENT) && pte.number() == number + index && tight(pte) == flags
        });
        if alike && number % block == 0 {
            for pte in entries {
                *pte = pte.with(CONT);
            }
        }
    }
}
