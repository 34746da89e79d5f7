// SPDX-License-Identifier: GPL-2.0

//! What CPUs may still have cached, and secondary MMUs.

use super::{
    mm::{mm_struct, vm_area_struct, PAGE_SIZE},
    pages::folio,
    pte::{pte_t, PRESENT},
    rmap::WALKED,
};
use core::{cell::UnsafeCell, ffi::c_void, ops::Range};

/// The TLBs, as far as an address space is concerned.
#[derive(Default)]
pub(crate) struct Tlb {
    /// Cleared, and neither flushed nor noted for later.
    pub(crate) unflushed: Vec<Range<usize>>,
    /// Noted for later, so that CPUs may use them still.
    pub(crate) pending: Vec<Range<usize>>,
    pub(crate) flushes: u32,
    pub(crate) put_off: u32,
    /// Whether putting a flush off is worth while.
    pub(crate) defer: bool,
}

impl Tlb {
    /// A page was unmapped; those that follow each other make one range.
    pub(crate) fn cleared(&mut self, address: usize) {
        match self.unflushed.last_mut() {
            Some(last) if last.end == address => last.end += PAGE_SIZE,
            _ => self.unflushed.push(address..address + PAGE_SIZE),
        }
    }

    fn done(&mut self, range: Range<usize>) {
        let before = self.unflushed.len();
        self.unflushed.retain(|unflushed| *unflushed != range);
        check_eq!(
            self.unflushed.len() + 1,
            before,
            "{range:?} was not cleared"
        );
    }
}

/// What a task has put off.
pub(crate) struct tlbflush_unmap_batch {
    pub(crate) arch: arch_tlbflush_unmap_batch,
    pub(crate) flush_required: bool,
    pub(crate) writable: bool,
}

/// The architecture's part of that.
pub(crate) struct arch_tlbflush_unmap_batch {
    /// Address spaces with a flush pending.
    mms: Vec<*mut mm_struct>,
}

struct Current(UnsafeCell<tlbflush_unmap_batch>);

thread_local! {
    static CURRENT: Current = const {
        Current(UnsafeCell::new(tlbflush_unmap_batch {
            arch: arch_tlbflush_unmap_batch { mms: vec![] },
            flush_required: false,
            writable: false,
        }))
    };
}

pub(crate) unsafe fn current_tlb_ubc() -> *mut tlbflush_unmap_batch {
    CURRENT.with(|current| current.0.get())
}

pub(crate) unsafe fn arch_tlbbatch_should_defer(mm: *mut mm_struct) -> bool {
    (*mm).tlb.defer
}

pub(crate) unsafe fn arch_tlbbatch_add_pending(
    batch: *mut arch_tlbflush_unmap_batch,
    vma: *mut vm_area_struct,
    start: usize,
    end: usize,
) {
    let mm = (*vma).vm_mm;
    (*mm).tlb.done(start..end);
    (*mm).tlb.pending.push(start..end);
    (*mm).tlb.put_off += 1;
    (*batch).mms.push(mm);
}

pub(crate) unsafe fn try_to_unmap_flush() {
    check!(WALKED.get().0.is_null(), "flushed under a page table lock");
    let batch = &mut *current_tlb_ubc();
    if !batch.flush_required {
        return;
    }
    for mm in batch.arch.mms.drain(..) {
        (*mm).tlb.pending.clear();
    }
    batch.flush_required = false;
    batch.writable = false;
}

/// A folio is let go of: whoever locks it next may write it out, or free it.
pub(crate) unsafe fn check_flushed(folio: *const folio) {
    for &vma in &(*folio).vmas {
        let pending = &(*(*vma).vm_mm).tlb.pending;
        check!(pending.is_empty(), "CPUs may use {pending:x?} still");
    }
}

/// Has the task forget what it has put off for objects that are gone, after a test that failed.
pub(crate) fn forget_flushes() {
    CURRENT.with(|current| {
        // SAFETY: Only this thread uses it, and nobody has a reference now.
        let batch = unsafe { &mut *current.0.get() };
        batch.arch.mms.clear();
        batch.flush_required = false;
        batch.writable = false;
    });
}

pub(crate) unsafe fn pte_accessible(_mm: *mut mm_struct, pte: pte_t) -> bool {
    pte.has(PRESENT)
}

pub(crate) unsafe fn flush_tlb_range(vma: *mut vm_area_struct, start: usize, end: usize) {
    let tlb = &mut (*(*vma).vm_mm).tlb;
    match tlb.pending.iter().position(|range| *range == (start..end)) {
        Some(pending) => drop(tlb.pending.swap_remove(pending)),
        None => {
            tlb.done(start..end);
            tlb.flushes += 1;
        }
    }
}

pub(crate) const mmu_notifier_event_MMU_NOTIFY_CLEAR: u32 = 1;

/// An invalidation of secondary MMUs.
#[derive(Clone, Copy)]
pub(crate) struct mmu_notifier_range {
    pub(crate) mm: *mut mm_struct,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) flags: u32,
    pub(crate) event: u32,
    pub(crate) owner: *mut c_void,
}

pub(crate) unsafe fn might_sleep() {}

pub(crate) unsafe fn mm_has_notifiers(mm: *mut mm_struct) -> i32 {
    (*mm).has_listeners.into()
}

impl mm_struct {
    /// The entry for a page is cleared: secondary MMUs have to know by now that it may be.
    pub(crate) fn check_announced(&self, address: usize) {
        let covers =
            |range: &Range<usize>| range.start <= address && address + PAGE_SIZE <= range.end;
        check!(
            !self.has_listeners || self.invalidations.iter().any(covers),
            "{address:#x} changes, and secondary MMUs know of {:x?}",
            self.invalidations
        );
    }
}

pub(crate) unsafe fn mmu_notifier_invalidate_range_start(range: *mut mmu_notifier_range) {
    let range = &*range;
    check!(range.start < range.end, "an empty invalidation");
    check_eq!(range.event, mmu_notifier_event_MMU_NOTIFY_CLEAR);
    check!(
        (*range.mm).locked.is_none(),
        "sleeps under a page table lock"
    );
    check!((*range.mm).has_listeners, "announced to nobody");
    (*range.mm).invalidations.push(range.start..range.end);
}

pub(crate) unsafe fn mmu_notifier_invalidate_range_end(range: *mut mmu_notifier_range) {
    let mm = (*range).mm;
    check!((*mm).locked.is_none(), "sleeps under a page table lock");
    let announced = (*mm).invalidations.pop();
    check_eq!(announced, Some((*range).start..(*range).end), "another end");
}
