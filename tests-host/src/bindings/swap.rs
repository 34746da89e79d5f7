// SPDX-License-Identifier: GPL-2.0

//! Swap slots: one for each page of the folio, with a count of the entries that refer to it.

use super::{
    pages::{folio, page, PG_SWAPBACKED, PG_SWAPCACHE},
    table::check_swap_entries,
};
use core::ptr;

/// From this count on, a slot's count is kept outside the table.
pub(crate) const COUNT_MAX: i32 = 4;
/// Slots that one cluster has.
pub(crate) const SWAPFILE_CLUSTER: usize = 128;
/// The slot of the folio's first page, on the device and in its cluster.
pub(crate) const FIRST_SLOT: usize = 8 * SWAPFILE_CLUSTER + FIRST_IN_CLUSTER;
const FIRST_IN_CLUSTER: usize = 16;

/// What kind of thing has a slot, in the lowest bits of its word.
pub(crate) const SWP_TB_PFN_MARK: usize = 0b10;
pub(crate) const SWP_TB_PFN_MARK_MASK: usize = 0b11;
const ODD_MARK: usize = 0b01;
/// Where the count is, in the highest bits of the word.
const COUNT_SHIFT: u32 = usize::BITS - 3;
const COUNT_ONE: usize = 1 << COUNT_SHIFT;

/// Bits of an entry that are the number of the device, or stand for something else.
pub(crate) const TYPE_SHIFT: u32 = 58;
pub(crate) const TYPE_HWPOISON: usize = 31;

/// A place on the swap device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct swp_entry_t {
    pub(crate) val: usize,
}

/// What a folio without slots has there.
pub(crate) const NO_SLOT: swp_entry_t = swp_entry_t {
    val: usize::MAX / 2,
};

/// An atomic integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct atomic_long_t {
    pub(crate) counter: i64,
}

/// The slots of one folio.
pub(crate) struct swap_cluster_info {
    /// How many references each slot has.
    pub(crate) counts: Vec<i32>,
    /// Whether each slot is one that the table alone cannot count for.
    pub(crate) odd: Vec<bool>,
    /// Whether there is memory for counts outside the table.
    pub(crate) memory: bool,
    /// Whether there is room on the device.
    pub(crate) space: bool,
    /// Whether nothing was ever written to the slots.
    pub(crate) blank: bool,
    /// The words of the cluster, while it is locked.
    pub(crate) table: *mut atomic_long_t,
    words: Vec<atomic_long_t>,
}

impl swap_cluster_info {
    pub(crate) fn new(counts: Vec<i32>, odd: Vec<bool>, memory: bool) -> Self {
        Self {
            counts,
            odd,
            memory,
            space: true,
            blank: false,
            table: ptr::null_mut(),
            words: vec![],
        }
    }

    /// Whether the next reference to a slot can be counted, by either way.
    pub(crate) fn can_count(count: i32, memory: bool) -> bool {
        memory || count + 1 < COUNT_MAX
    }

    fn locked(&self) -> bool {
        !self.table.is_null()
    }

    /// What the table has for a slot. Those of others look as ours do.
    fn word(&self, slot: usize) -> atomic_long_t {
        let index = slot.wrapping_sub(FIRST_IN_CLUSTER);
        let count = self
            .counts
            .get(index)
            .map_or(0, |&count| count.min(COUNT_MAX));
        let mark = match self.odd.get(index) {
            Some(true) => ODD_MARK,
            _ => SWP_TB_PFN_MARK,
        };
        let word = (count as usize * COUNT_ONE) | (4096 << 2) | mark;
        atomic_long_t {
            counter: word as i64,
        }
    }

    fn lock(&mut self) {
        self.words = (0..SWAPFILE_CLUSTER).map(|slot| self.word(slot)).collect();
        self.table = self.words.as_mut_ptr();
    }

    fn unlock(&mut self) {
        for slot in 0..SWAPFILE_CLUSTER {
            let (old, new) = (self.word(slot), self.words[slot]);
            if new == old {
                continue;
            }
            let index = slot.wrapping_sub(FIRST_IN_CLUSTER);
            check!(index < self.counts.len(), "the slot of somebody else");
            check!(!self.odd[index], "an odd slot is set");
            let difference = (new.counter as usize) ^ (old.counter as usize);
            check_eq!(difference % COUNT_ONE, 0, "more than a count");
            check!(self.counts[index] < COUNT_MAX, "a count is lost");
            let count = (new.counter as usize >> COUNT_SHIFT) as i32;
            check!(count < COUNT_MAX, "a count that does not fit");
            self.counts[index] = count;
        }
        self.table = ptr::null_mut();
        self.words.clear();
    }
}

unsafe fn slots<'a>(folio: *const folio) -> &'a mut swap_cluster_info {
    check!((*folio).locked, "slots of a folio that is not locked");
    check!(
        (*folio).has(PG_SWAPBACKED | PG_SWAPCACHE),
        "slots of a folio without any"
    );
    let slots = &mut *(*folio).slots;
    check!(!slots.locked(), "the cluster is locked already");
    slots
}

pub(crate) unsafe fn folio_dup_swap(folio: *mut folio, page: *mut page) -> i32 {
    let slots = slots(folio);
    let count = &mut slots.counts[(*page).index];
    if !swap_cluster_info::can_count(*count, slots.memory) {
        return kernel::error::code::ENOMEM.to_errno();
    }
    *count += 1;
    0
}

pub(crate) unsafe fn folio_put_swap(folio: *mut folio, page: *mut page) {
    let count = &mut slots(folio).counts[(*page).index];
    check!(*count > 0, "a swap reference is put that nobody has");
    *count -= 1;
    check_swap_entries();
}

pub(crate) unsafe fn folio_alloc_swap(folio: *mut folio) -> i32 {
    let folio = &mut *folio;
    check!(folio.locked && !folio.has(PG_SWAPCACHE) && folio.has(PG_SWAPBACKED));
    if !(*folio.slots).space {
        return kernel::error::code::ENOMEM.to_errno();
    }
    folio.give_slots(true);
    (*folio.slots).blank = true;
    folio.refs += folio.pages().len() as i32;
    0
}

/// A folio is let go of: a clean one need not be written to its slots before it is freed.
pub(crate) unsafe fn check_content(folio: *const folio) {
    let folio = &*folio;
    check!(
        !folio.has(PG_SWAPCACHE) || folio.dirty || !(*folio.slots).blank,
        "the content will be lost"
    );
}

pub(crate) unsafe fn folio_free_swap(folio: *mut folio) -> bool {
    let unused = slots(folio).counts.iter().all(|&count| count == 0);
    let folio = &mut *folio;
    if unused {
        folio.give_slots(false);
        folio.refs -= folio.pages().len() as i32;
        folio.dirty = true;
    }
    unused
}

pub(crate) unsafe fn swap_cluster_get_and_lock(folio: *const folio) -> *mut swap_cluster_info {
    let slots = slots(folio);
    slots.lock();
    slots
}

pub(crate) unsafe fn swap_cluster_unlock(cluster: *mut swap_cluster_info) {
    check!((*cluster).locked(), "the cluster is not locked");
    (*cluster).unlock();
}

pub(crate) unsafe fn swp_tb_one() -> usize {
    COUNT_ONE
}

pub(crate) unsafe fn swp_tb_count_limit() -> usize {
    COUNT_ONE * (COUNT_MAX as usize - 1)
}
