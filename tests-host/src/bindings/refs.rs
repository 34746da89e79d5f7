// SPDX-License-Identifier: GPL-2.0

//! The lock of a folio, its references and its dirty flag, and in which order they are looked at.

use super::{
    pages::{folio, folio_mapcount, folio_mapped},
    swap::check_content,
    tlb::check_flushed,
};

pub(crate) unsafe fn folio_test_dirty(folio: *const folio) -> bool {
    check!(!(*folio).refs_read, "no barrier behind the references");
    (*folio).dirty
}

pub(crate) unsafe fn folio_ref_count(folio: *mut folio) -> i32 {
    check!((*folio).barrier, "no barrier before the references");
    (*folio).refs_read = true;
    (*folio).refs
}

pub(crate) unsafe fn folio_get(folio: *mut folio) {
    check!((*folio).refs > 0);
    (*folio).refs += 1;
}

pub(crate) unsafe fn folio_put(folio: *mut folio) {
    folio_put_refs(folio, 1);
}

pub(crate) unsafe fn folio_put_refs(folio: *mut folio, refs: i32) {
    check!(!(*folio).undrained, "mlock_drain_local() is missing");
    (*folio).refs -= refs;
    check!(
        (*folio).refs >= folio_mapcount(folio),
        "a reference is put that nobody has, or a mapping"
    );
    if (*folio).refs == 0 {
        check!(!folio_mapped(folio), "a mapped folio is freed");
        check!(!(*folio).locked, "a locked folio is freed");
        (*folio).freed = true;
    }
}

pub(crate) unsafe fn folio_trylock(folio: *mut folio) -> bool {
    !core::mem::replace(&mut (*folio).locked, true)
}

pub(crate) unsafe fn folio_unlock(folio: *mut folio) {
    check!((*folio).locked, "the folio is not locked");
    check_flushed(folio);
    check_content(folio);
    (*folio).locked = false;
}

pub(crate) unsafe fn folio_mark_dirty(folio: *mut folio) -> bool {
    !core::mem::replace(&mut (*folio).dirty, true)
}

pub(crate) unsafe fn folio_maybe_dma_pinned(folio: *mut folio) -> bool {
    check!((*folio).barrier, "no barrier before the pinned check");
    let question = (*folio).pin_questions;
    (*folio).pin_questions += 1;
    (*folio).pinned_from.is_some_and(|from| question >= from)
}
