// SPDX-License-Identifier: GPL-2.0

//! What has to come of an unmap, said in another way: entry after entry, neighbour by neighbour.

use crate::{
    bindings::*,
    recipe::PFN,
    ttu::tally::{Stop, NR_LENGTHS},
};
use core::ops::Range;

/// Flags of the caller that matter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) batch_flush: bool,
    pub(crate) ignore_mlock: bool,
    pub(crate) hwpoison: bool,
}

/// An address space.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainSpace {
    pub(crate) ptes: Vec<pte_t>,
    pub(crate) contpte: Option<usize>,
    pub(crate) huge: bool,
    pub(crate) hiwater: isize,
    pub(crate) on_mmlist: bool,
    pub(crate) defer: bool,
    pub(crate) flushes: u32,
    pub(crate) put_off: u32,
    pub(crate) tlb_flush_batched: i32,
}

/// A VMA, in places of entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlainVma {
    pub(crate) space: usize,
    pub(crate) range: Range<usize>,
    pub(crate) first: usize,
    pub(crate) locked: bool,
    pub(crate) droppable: bool,
    /// Userfaultfd watches it.
    pub(crate) armed: bool,
    /// What userfaultfd protects has to be known when it is gone, too.
    pub(crate) leaves_markers: bool,
}

/// All that an unmap changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) nr: usize,
    pub(crate) spaces: Vec<PlainSpace>,
    pub(crate) vmas: Vec<PlainVma>,
    pub(crate) exclusive: Vec<bool>,
    pub(crate) counts: Vec<i32>,
    pub(crate) memory: bool,
    pub(crate) swapbacked: bool,
    pub(crate) dirty: bool,
    pub(crate) extra_refs: i32,
    pub(crate) hwpoison: bool,
    pub(crate) pin_questions: u32,
    pub(crate) pinned_from: Option<u32>,
    /// A flush was put off of what may have been written through.
    pub(crate) writable: bool,
}

/// What has to be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) batches: u32,
    pub(crate) runs: u32,
    pub(crate) unmapped: u32,
    pub(crate) restored: u32,
    pub(crate) lengths: [u32; NR_LENGTHS],
    pub(crate) stop: Option<Stop>,
}

impl PlainSpace {
    /// A batch that has a part of a contpte block leaves single entries of the rest.
    fn unfold(&mut self, batch: &Range<usize>) {
        let Some(block) = self.contpte else {
            return;
        };
        for place in [batch.start, batch.end - 1] {
            let all = place / block * block..(place / block + 1) * block;
            if all.start < batch.start || all.end > batch.end {
                for pte in &mut self.ptes[all] {
                    *pte = pte.without(CONT);
                }
            }
        }
    }
}

/// Whether two entries next to each other may be handled as one: of two pages next to each other,
/// and otherwise different only in what is `loose`. What nobody needs is dropped one by one.
fn joined(pte: pte_t, next: pte_t, loose: u64) -> bool {
    let page_step = pte_t::new(1, 0).pte;
    pte.has(PRESENT)
        && !pte.has(UNUSED)
        && next.without(loose).pte == pte.without(loose).pte + page_step
}

impl Plain {
    /// Leaves out what says which entries are one contpte block.
    pub(crate) fn forget_blocks(&mut self) {
        for pte in self.spaces.iter_mut().flat_map(|space| &mut space.ptes) {
            *pte = pte.without(CONT);
        }
    }

    fn ours(&self, pte: pte_t) -> Option<usize> {
        let page = pte.mapped_pfn()?.wrapping_sub(PFN);
        (page < self.nr).then_some(page)
    }

    fn is_mapped(&self) -> bool {
        let mut ptes = self.spaces.iter().flat_map(|space| &space.ptes);
        ptes.any(|&pte| self.ours(pte).is_some())
    }

    /// Unmaps everything, until something stops it.
    pub(crate) fn unmap(&mut self, asked: Asked) -> Counted {
        let mut counted = Counted::default();
        for vma in self.vmas.clone() {
            if !self.unmap_vma(&vma, asked, &mut counted) || !self.is_mapped() {
                break;
            }
        }
        counted
    }

    fn unmap_vma(&mut self, vma: &PlainVma, asked: Asked, counted: &mut Counted) -> bool {
        let window = vma.range.start.max(vma.first)..vma.range.end.min(vma.first + self.nr);
        let mut place = window.start;
        let mut kept = false;
        while place < window.end {
            let pte = self.spaces[vma.space].ptes[place];
            if self.ours(pte).is_none() {
                place += 1;
                continue;
            }
            if vma.locked && !asked.ignore_mlock {
                counted.stop.get_or_insert(Stop::Mlocked);
                kept = true;
                place += 1;
                continue;
            }
            self.spaces[vma.space].huge = false;
            let mut end = place + 1;
            // Lazily freed entries are kept or dropped as the kernel does it, block by block.
            let loose = if self.swapbacked { LOOSE | CONT } else { LOOSE };
            while end < window.end
                && end % HPAGE_PMD_NR != 0
                && !asked.hwpoison
                && joined(
                    self.spaces[vma.space].ptes[end - 1],
                    self.spaces[vma.space].ptes[end],
                    loose,
                )
            {
                end += 1;
            }
            if let Err(stop) = self.unmap_batch(vma, place..end, asked, counted) {
                counted.stop.get_or_insert(stop);
                return false;
            }
            place = end;
        }
        !kept
    }

    fn unmap_batch(
        &mut self,
        vma: &PlainVma,
        batch: Range<usize>,
        asked: Asked,
        counted: &mut Counted,
    ) -> Result<(), Stop> {
        let space = &mut self.spaces[vma.space];
        space.unfold(&batch);
        let rss = space.ptes.iter().filter(|pte| pte.mapped_pfn().is_some());
        space.hiwater = space.hiwater.max(rss.count() as isize);
        let mut loose = 0;
        for pte in &space.ptes[batch.clone()] {
            loose |= pte.pte & (ACCESSED | DIRTY);
        }
        // On x86, the kernel puts lazily freed entries back as what pte_mkdirty() makes of them.
        let mut behind_first = space.ptes[batch.clone()].iter().skip(1);
        if cfg!(CONFIG_X86) && !self.swapbacked && behind_first.any(|pte| pte.has(DIRTY)) {
            loose |= SOFT_DIRTY;
        }
        if space.ptes[batch.start].has(PRESENT) {
            self.dirty |= loose & DIRTY != 0;
            if asked.batch_flush && space.defer {
                space.put_off += 1;
                self.writable |= loose & DIRTY != 0;
                space.tlb_flush_batched = match space.tlb_flush_batched {
                    many if many % (1 << 15) > 16383 => 1,
                    few => few + 1,
                };
            } else {
                space.flushes += 1;
            }
        }
        counted.batches += 1;
        counted.lengths[batch.len().ilog2() as usize] += 1;

        let mut place = batch.start;
        let mut not_pinned = false;
        while place < batch.end {
            let page = self.ours(self.spaces[vma.space].ptes[place]).unwrap();
            let mut nr = 1;
            while place + nr < batch.end
                && (!self.swapbacked || self.exclusive[page + nr] == self.exclusive[page])
            {
                nr += 1;
            }
            if let Err(stop) = self.commit(vma, place..place + nr, page, asked, &mut not_pinned) {
                counted.restored += (batch.end - place) as u32;
                for pte in &mut self.spaces[vma.space].ptes[place..batch.end] {
                    *pte = pte.with(loose);
                }
                return Err(stop);
            }
            counted.runs += 1;
            counted.unmapped += nr as u32;
            place += nr;
        }
        Ok(())
    }

    /// Takes the pages from `page` on out of a run of entries, or changes no entry.
    fn commit(
        &mut self,
        vma: &PlainVma,
        run: Range<usize>,
        page: usize,
        asked: Asked,
        not_pinned: &mut bool,
    ) -> Result<(), Stop> {
        let nr = run.len();
        let space = &mut self.spaces[vma.space];
        let ptes = &mut space.ptes[run];
        if asked.hwpoison && self.hwpoison {
            ptes[0] = pte_t::new(PFN + page, HWPOISON);
            return Ok(());
        }
        if ptes[0].has(PRESENT | UNUSED) && !vma.armed {
            ptes[0] = pte_t::default();
            return Ok(());
        }
        if !self.swapbacked {
            if self.dirty && !vma.droppable {
                self.swapbacked = true;
                return Err(Stop::Redirtied);
            }
            if self.extra_refs != 0 {
                return Err(Stop::ExtraReferences);
            }
            for pte in ptes {
                *pte = match pte.has(UFFD) || pte.has(SWP_UFFD) {
                    true if vma.leaves_markers => pte_t::new(0, MARKER),
                    _ => pte_t::default(),
                };
            }
            return Ok(());
        }
        for &count in &self.counts[page..page + nr] {
            if !swap_cluster_info::can_count(count, self.memory) {
                return Err(Stop::SwapDup);
            }
        }
        let exclusive = self.exclusive[page];
        // Through entries that are cleared nobody can pin: one look serves all runs of a batch.
        if exclusive && !*not_pinned {
            self.pin_questions += 1;
            if self
                .pinned_from
                .is_some_and(|from| self.pin_questions > from)
            {
                return Err(Stop::Pinned);
            }
            *not_pinned = true;
        }
        space.on_mmlist = true;
        for (index, pte) in ptes.iter_mut().enumerate() {
            let old = *pte;
            let mut swap = pte_t::new(FIRST_SLOT + page + index, SWAP);
            if exclusive {
                swap = swap.with(SWP_EXCLUSIVE);
            }
            if old.has(SWP_SOFT_DIRTY) || old.has(SOFT_DIRTY) {
                swap = swap.with(SWP_SOFT_DIRTY);
            }
            if old.has(SWP_UFFD) || old.has(UFFD) {
                swap = swap.with(SWP_UFFD);
            }
            *pte = swap;
            self.exclusive[page + index] = false;
            self.counts[page + index] += 1;
        }
        Ok(())
    }
}
