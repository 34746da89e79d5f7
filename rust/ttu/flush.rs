// SPDX-License-Identifier: GPL-2.0

//! TLB flushes of cleared entries, at once or put off.

use super::flags::TtuFlags;
use crate::sys::{
    barrier::barrier,
    cleared::ClearedPtes,
    mm::Mm,
    tlb::{
        self,
        UnmapBatch, //
    },
};
use kernel::sync::atomic::{
    Atomic,
    Relaxed, //
};

/// Bits 0 to 14 of `mm->tlb_flush_batched` count the flushes that are pending.
const TLB_FLUSH_BATCH_PENDING_MASK: i32 = (1 << 15) - 1;
/// From here on the count is reset, before it runs into the bits above.
const TLB_FLUSH_BATCH_PENDING_LARGE: i32 = TLB_FLUSH_BATCH_PENDING_MASK / 2;

/// Has the CPUs forget the entries that were just cleared, now or with the caller's batch.
///
/// A CPU that has the entry cached may write to the page until then. If the entry was clean, the
/// architecture has to trap on its way from clean to dirty, for the entry is gone.
pub(super) fn flush_cleared(cleared: &mut ClearedPtes<'_, '_>, flags: TtuFlags) {
    let mm = cleared.vma().mm();

    if should_defer_flush(mm, flags) {
        set_tlb_ubc_flush_pending(mm, cleared);
    } else {
        cleared.vma().flush_tlb_range(&cleared.range());
    }
}

/// Mirrors `should_defer_flush()` in [`mm/rmap.c`](srctree/mm/rmap.c).
fn should_defer_flush(mm: &Mm, flags: TtuFlags) -> bool {
    flags.contains(TtuFlags::BATCH_FLUSH) && tlb::should_defer(mm)
}

/// Mirrors `set_tlb_ubc_flush_pending()` in [`mm/rmap.c`](srctree/mm/rmap.c).
fn set_tlb_ubc_flush_pending(mm: &Mm, cleared: &mut ClearedPtes<'_, '_>) {
    if !tlb::pte_accessible(mm, cleared.pteval()) {
        return;
    }

    let mut batch = UnmapBatch::current();
    batch.add_pending(cleared.vma(), &cleared.range());
    cleared.set_flush_pending();

    // The entries must be cleared before `tlb_flush_batched` says so: flush_tlb_batched_pending()
    // reads them in the opposite order.
    barrier();
    count_pending(mm.tlb_flush_batched());

    // A dirty entry was probably writable: it must be flushed before the page is written out.
    if cleared.pteval().dirty() {
        batch.set_writable();
    }
}

/// Counts one more pending flush. A large count starts again from one with nothing flushed, so
/// that it never overflows into the generations that were flushed.
fn count_pending(flush_batched: &Atomic<i32>) {
    let mut old = flush_batched.load(Relaxed);

    while old & TLB_FLUSH_BATCH_PENDING_MASK > TLB_FLUSH_BATCH_PENDING_LARGE {
        match flush_batched.cmpxchg(old, 1, kernel::sync::atomic::Full) {
            Ok(_) => return,
            Err(now) => old = now,
        }
    }
    flush_batched.add(1, Relaxed);
}
