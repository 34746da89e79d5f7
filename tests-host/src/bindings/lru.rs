// SPDX-License-Identifier: GPL-2.0

//! The lists that reclaim goes by, and what it does at last.

use super::{
    pages::{folio, folio_mapped},
    refs::folio_put,
};

pub(crate) unsafe fn lru_add_drain() {}

pub(crate) unsafe fn lru_add_drain_all() {}

pub(crate) unsafe fn folio_isolate_lru(folio: *mut folio) -> bool {
    let isolated = core::mem::replace(&mut (*folio).lru, false);
    (*folio).refs += i32::from(isolated);
    isolated
}

pub(crate) unsafe fn folio_putback_lru(folio: *mut folio) {
    check!(!(*folio).lru, "the folio is on its list already");
    (*folio).lru = true;
    folio_put(folio);
}

pub(crate) unsafe fn reclaim_folio(folio: *mut folio) -> usize {
    check!(!(*folio).locked && !(*folio).lru);
    check!(!folio_mapped(folio), "a mapped folio is reclaimed");
    (*folio).freed = true;
    (*folio).pages().len()
}
