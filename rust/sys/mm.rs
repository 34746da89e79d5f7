// SPDX-License-Identifier: GPL-2.0

//! Address spaces.
//!
//! C headers: [`include/linux/mm.h`](srctree/include/linux/mm.h),
//! [`include/linux/sched/mm.h`](srctree/include/linux/sched/mm.h),
//! [`include/linux/mmap_lock.h`](srctree/include/linux/mmap_lock.h)

use super::{
    bindings,
    fault,
    vma::Vma, //
};
use core::{
    ops::Deref,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::{
        atomic::Atomic,
        rcu, //
    },
    types::{
        NotThreadSafe,
        Opaque, //
    },
};

/// Bytes in a page.
pub(crate) const PAGE_SIZE: usize = bindings::PAGE_SIZE;

/// Pages that one entry of a page middle directory maps, or one page table holds entries for.
pub(crate) const HPAGE_PMD_NR: usize = bindings::HPAGE_PMD_NR;

/// A `struct mm_struct` with its page tables in place.
#[repr(transparent)]
pub(crate) struct Mm(Opaque<bindings::mm_struct>);

/// What `add_mm_counter()` counts, in pages.
#[derive(Clone, Copy)]
pub(crate) enum MmCounter {
    /// Mapped pages of anonymous memory (`MM_ANONPAGES`).
    AnonPages,
    /// Swap entries in page tables (`MM_SWAPENTS`).
    SwapEnts,
}

impl Mm {
    /// Creates a reference from a raw pointer.
    ///
    /// # Safety
    ///
    /// For `'a` the mm must be alive and its page tables must not be torn down.
    pub(super) unsafe fn from_raw<'a>(mm: *mut bindings::mm_struct) -> &'a Self {
        // SAFETY: `Self` is a transparent wrapper, and the caller keeps the mm alive.
        unsafe { &*mm.cast() }
    }

    /// Returns the raw pointer.
    pub(super) fn as_ptr(&self) -> *mut bindings::mm_struct {
        self.0.get()
    }

    /// `add_mm_counter()`, in pages.
    pub(crate) fn add_counter(&self, counter: MmCounter, pages: isize) {
        let member = match counter {
            MmCounter::AnonPages => bindings::MM_ANONPAGES,
            MmCounter::SwapEnts => bindings::MM_SWAPENTS,
        };
        // SAFETY: The mm is alive, and the counters may be changed at any time.
        unsafe { bindings::add_mm_counter(self.as_ptr(), member, pages) }
    }

    /// `update_hiwater_rss()`: to be called before a counter is lowered.
    pub(crate) fn update_hiwater_rss(&self) {
        // SAFETY: The mm is alive.
        unsafe { bindings::update_hiwater_rss(self.as_ptr()) }
    }

    /// Puts the mm on the list that swapoff searches (`mm_prepare_for_swap_entries()`).
    ///
    /// To be called before the first swap entry becomes visible in its page tables.
    pub(crate) fn prepare_for_swap_entries(&self) {
        // SAFETY: The mm is alive; the function takes `mmlist_lock` by itself.
        unsafe { bindings::mm_prepare_for_swap_entries(self.as_ptr()) }
    }

    /// Pending and finished generations of put-off TLB flushes (`mm->tlb_flush_batched`).
    pub(crate) fn tlb_flush_batched(&self) -> &Atomic<i32> {
        // SAFETY: The field is an `atomic_t`, which only sees atomic accesses, of a living mm.
        unsafe {
            Atomic::from_ptr(&raw mut (*self.as_ptr()).__bindgen_anon_1.tlb_flush_batched.counter)
        }
    }
}

/// An `mm_struct` that the process may have left, but whose page tables stay (`mm_users`).
///
/// # Invariants
///
/// Owns one count of `mm_users`.
pub(crate) struct MmUser(NonNull<bindings::mm_struct>);

impl MmUser {
    /// Finds the address space of process `pid`, as seen from the caller's pid namespace.
    ///
    /// Mirrors what `mm/huge_memory.c: split_huge_pages_pid()` does.
    ///
    /// # Errors
    ///
    /// `ESRCH` if there is no such process, or if it has no user memory: a kernel thread, or a
    /// process that has exited.
    pub(crate) fn of_pid(pid: i32) -> Result<Self> {
        let _rcu = rcu::read_lock();
        // SAFETY: The RCU read lock keeps the pid and the task for as long as they are used.
        // `get_task_mm()` takes the task's own lock, and its result is a count that we own.
        let mm = unsafe {
            let task = bindings::pid_task(bindings::find_vpid(pid), bindings::pid_type_PIDTYPE_PID);
            if task.is_null() {
                return Err(ESRCH);
            }
            bindings::get_task_mm(task)
        };
        // INVARIANT: `get_task_mm()` has counted us.
        NonNull::new(mm).map(Self).ok_or(ESRCH)
    }

    /// Takes the mmap lock for reading, unless a fatal signal comes first.
    ///
    /// # Errors
    ///
    /// `EINTR` if a fatal signal comes while it waits, or has come before it has to.
    pub(crate) fn mmap_read_lock_killable(&self) -> Result<MmapReadGuard<'_>> {
        if fault::MMAP_LOCK.should_fail() {
            return Err(EINTR);
        }
        // SAFETY: The mm is alive.
        to_result(unsafe { bindings::mmap_read_lock_killable(self.as_ptr()) })?;
        // INVARIANT: Just locked.
        Ok(MmapReadGuard {
            mm: self,
            _nts: NotThreadSafe,
        })
    }
}

impl Deref for MmUser {
    type Target = Mm;

    fn deref(&self) -> &Mm {
        // SAFETY: By the type invariants we own a count, which keeps the mm and its page tables.
        unsafe { Mm::from_raw(self.0.as_ptr()) }
    }
}

impl Drop for MmUser {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own the count that is put here. May sleep; no lock of
        // ours is held where this type is dropped.
        unsafe { bindings::mmput(self.0.as_ptr()) }
    }
}

/// The mmap lock, held for reading: areas stay as they are.
///
/// # Invariants
///
/// Owns the lock of `mm`, which the same thread has to release.
#[must_use = "the mmap lock is released at once when the guard is unused"]
pub(crate) struct MmapReadGuard<'a> {
    mm: &'a Mm,
    _nts: NotThreadSafe,
}

impl MmapReadGuard<'_> {
    /// Returns the first area that ends behind `address` (`find_vma()`).
    pub(crate) fn find_vma(&self, address: usize) -> Option<&Vma> {
        // SAFETY: By the type invariants the mmap lock is held, as `find_vma()` wants it; it keeps
        // the area for as long as the guard is borrowed.
        unsafe {
            let vma = bindings::find_vma(self.mm.as_ptr(), address);
            (!vma.is_null()).then(|| Vma::from_raw(vma))
        }
    }

    /// Returns whether there is no table of PMDs for `address` in `vma`, which is one of this mm's
    /// (`mm/rmap.c: mm_find_pmd()`).
    pub(crate) fn lacks_page_table(&self, vma: &Vma, address: usize) -> bool {
        // Where no area is, munmap() may be freeing the upper levels, with the same lock held.
        !vma.range().contains(&address)
            // SAFETY: By the type invariants the mmap lock is held, and the address is in an area.
            || unsafe { bindings::mm_find_pmd(self.mm.as_ptr(), address).is_null() }
    }
}

impl Drop for MmapReadGuard<'_> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants we own the lock.
        unsafe { bindings::mmap_read_unlock(self.mm.as_ptr()) }
    }
}
