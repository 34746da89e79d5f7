// SPDX-License-Identifier: GPL-2.0

//! A folio, who maps it and what will go wrong, by random.

use crate::{bindings::*, property::lay_out};
use proptest::{bits, option, prelude::*};

/// The frame number of the folio's first page.
pub(crate) const PFN: usize = 4096;
/// Entries that an address space has.
const ENTRIES: usize = 3 * HPAGE_PMD_NR;
/// How much memory there is around a folio in its address space, in pages.
const AROUND: usize = 12;
const NR_MAX: usize = HPAGE_PMD_NR;

/// What some entries in a row map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The folio's page that belongs there.
    Page,
    /// Nothing.
    Empty,
    /// A page of another folio, as after copy-on-write.
    Other,
    /// The folio's page, for a device only.
    Device,
}

/// An address space.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    /// The place of the folio's first page.
    pub(crate) place: usize,
    /// Where VMAs end and the next one begins, in pages of the folio.
    pub(crate) cuts: Vec<usize>,
    /// Flags of the VMAs, in their order.
    pub(crate) vma_flags: Vec<usize>,
    /// Rows of entries: how many, what they map, and their flags.
    pub(crate) rows: Vec<(usize, Kind, u64)>,
    pub(crate) accessed: u64,
    pub(crate) dirty: u64,
    /// Mapped by a PMD, if the folio is large enough.
    pub(crate) huge: bool,
    pub(crate) contpte: Option<usize>,
    pub(crate) defer: bool,
    pub(crate) tlb_flush_batched: i32,
    /// Whether secondary MMUs want to be told of changes.
    pub(crate) has_listeners: bool,
}

/// All of it.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) order: u32,
    pub(crate) spaces: Vec<Space>,
    /// Rows of pages: how many, and whether they are exclusive.
    pub(crate) exclusive: Vec<(usize, bool)>,
    /// Rows of slots: how many, and the references that others have.
    pub(crate) counts: Vec<(usize, i32)>,
    pub(crate) odd_slots: u64,
    pub(crate) memory: bool,
    pub(crate) pinned_from: Option<u32>,
    pub(crate) swapbacked: bool,
    pub(crate) dirty: bool,
    pub(crate) extra_refs: i32,
    pub(crate) hwpoison: bool,
    pub(crate) ignore_mlock: bool,
    pub(crate) batch_flush: bool,
}

fn row_length() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1..8usize, 4 => 8..32usize, 3 => Just(NR_MAX)]
}

fn flags() -> impl Strategy<Value = u64> {
    prop_oneof![
        3 => Just(WRITE),
        1 => (any::<[bool; 3]>(), prop::bool::weighted(0.3), 0..4u64).prop_map(
            |([write, soft_dirty, uffd], unused, pkey)| {
                let bit = |set, flag| if set { flag } else { 0 };
                bit(write, WRITE)
                    | bit(soft_dirty, SOFT_DIRTY)
                    | bit(uffd, UFFD)
                    | bit(unused, UNUSED)
                    | (pkey << 6)
            }
        ),
    ]
}

fn vma_flags() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => Just(0),
        1 => prop_oneof![Just(VM_UFFD_WP), Just(VM_UFFD_WP | OF_FILE)],
        2 => 0..32usize
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        12 => Just(Kind::Page),
        1 => Just(Kind::Empty),
        1 => Just(Kind::Other),
        1 => Just(Kind::Device),
    ]
}

fn mask() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 1 => Just(!0), 2 => bits::u64::ANY]
}

/// The length of contpte blocks, which only arm64 has.
fn blocks() -> impl Strategy<Value = Option<usize>> {
    prop_oneof![Just(None), Just(Some(16)), Just(Some(4))]
        .prop_map(|block| block.filter(|_| cfg!(CONFIG_ARM64)))
}

prop_compose! {
    fn space()(
        place in prop_oneof![
            2 => (1..7usize).prop_map(|n| 16 * n),
            1 => AROUND..ENTRIES - NR_MAX - AROUND
        ],
        cuts in prop_oneof![
            3 => Just(vec![]),
            1 => prop::collection::vec(1..NR_MAX, 1..3)
        ],
        vma_flags in prop::collection::vec(vma_flags(), 3),
        rows in prop::collection::vec((row_length(), kind(), flags()), 1..6),
        (accessed, dirty) in (mask(), mask()),
        huge in prop::bool::weighted(0.3),
        contpte in blocks(),
        defer in any::<bool>(),
        tlb_flush_batched in prop_oneof![Just(0), Just((5 << 16) | 16383), Just((5 << 16) | 16384)],
        has_listeners in any::<bool>(),
    ) -> Space {
        Space {
            place, cuts, vma_flags, rows, accessed, dirty, huge, contpte, defer,
            tlb_flush_batched, has_listeners,
        }
    }
}

prop_compose! {
    /// Anything that can be.
    pub(crate) fn recipe()(
        order in 0..=NR_MAX.ilog2(),
        spaces in prop_oneof![
            2 => prop::collection::vec(space(), 1),
            1 => prop::collection::vec(space(), 2..4)
        ],
        exclusive in prop::collection::vec((row_length(), any::<bool>()), 1..6),
        counts in prop_oneof![
            1 => Just(vec![(1, 0)]),
            1 => prop::collection::vec((row_length(), 0..COUNT_MAX + 1), 1..6)
        ],
        odd_slots in prop_oneof![3 => Just(0), 1 => bits::u64::ANY],
        memory in any::<bool>(),
        pinned_from in option::of(0..5u32),
        swapbacked in prop::bool::weighted(0.85),
        dirty in any::<bool>(),
        extra_refs in prop_oneof![4 => Just(0), 1 => 1..3],
        hwpoison in prop::bool::weighted(0.05),
        ignore_mlock in any::<bool>(),
        batch_flush in any::<bool>(),
    ) -> Recipe {
        Recipe {
            order, spaces, exclusive, counts, odd_slots, memory, pinned_from, swapbacked, dirty,
            extra_refs, hwpoison, ignore_mlock, batch_flush,
        }
    }
}

impl Space {
    /// Returns all entries, and whether the folio is mapped by a PMD.
    pub(crate) fn entries(&self, nr: usize) -> (usize, Vec<pte_t>, bool) {
        let huge = self.huge && nr == HPAGE_PMD_NR && self.cuts.is_empty();
        let place = if huge { HPAGE_PMD_NR } else { self.place };
        let rows: Vec<_> = match self.rows[0] {
            (_, _, flags) if huge => vec![(nr, (Kind::Page, flags))],
            _ => self
                .rows
                .iter()
                .map(|&(n, kind, flags)| (n, (kind, flags)))
                .collect(),
        };
        let cells = lay_out(&rows, nr);
        let mut ptes = vec![pte_t::default(); ENTRIES];
        // The neighbours in memory are neighbours of the folio here, too, with the same flags.
        for offset in 0..nr + 2 * AROUND {
            let page = offset.wrapping_sub(AROUND).min(nr * 4);
            let (kind, flags) = match cells.get(page) {
                Some(&cell) => cell,
                None if page == nr * 4 => (Kind::Page, cells[0].1),
                None => (Kind::Page, cells[nr - 1].1),
            };
            let loose = if (self.accessed >> (offset % 64)) & 1 != 0 {
                ACCESSED
            } else {
                0
            } | if (self.dirty >> (offset % 64)) & 1 != 0 {
                DIRTY
            } else {
                0
            };
            let soft = |from, to| if flags & from != 0 { to } else { 0 };
            let pfn = PFN + offset - AROUND;
            ptes[place + offset - AROUND] = match kind {
                Kind::Page => pte_t::new(pfn, PRESENT | flags | loose),
                Kind::Other => pte_t::new(pfn + 1_000_000, PRESENT | flags | loose),
                Kind::Empty => pte_t::default(),
                Kind::Device => pte_t::new(
                    pfn,
                    DEVICE_EXCLUSIVE | soft(SOFT_DIRTY, SWP_SOFT_DIRTY) | soft(UFFD, SWP_UFFD),
                ),
            };
        }
        (place, ptes, huge)
    }

    /// Returns the VMAs, as ranges of places.
    pub(crate) fn vmas(&self, place: usize, nr: usize) -> Vec<core::ops::Range<usize>> {
        let mut edges: Vec<_> = self
            .cuts
            .iter()
            .map(|cut| place + cut % nr.max(2))
            .collect();
        edges.extend([place - AROUND, place + nr + AROUND]);
        edges.sort();
        edges.dedup();
        edges.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }
}
