// SPDX-License-Identifier: GPL-2.0

//! The kernel as the module sees it: plain data, and functions of the kernel's names.
//!
//! A table has [`HPAGE_PMD_NR`] entries, few, so that folios often lie across the end of one. Each
//! function checks what the real one takes for granted: that the page table lock is held, that an
//! entry is within the table, the VMA and the folio, that a reference is there to be put.
//!
//! Everything is single-threaded and reached by raw pointers, as in C.

#![allow(
    dead_code,
    non_camel_case_types,
    non_snake_case,
    non_upper_case_globals,
    unsafe_op_in_unsafe_fn,
    clippy::missing_safety_doc
)]

/// `assert!()`, but for what the guards of a test that has failed already do.
macro_rules! check {
    ($($arg:tt)*) => {
        if !std::thread::panicking() {
            assert!($($arg)*);
        }
    };
}

/// `assert_eq!()`, likewise.
macro_rules! check_eq {
    ($($arg:tt)*) => {
        if !std::thread::panicking() {
            assert_eq!($($arg)*);
        }
    };
}

mod lru;
mod mask;
mod mm;
mod pages;
mod pte;
mod refs;
mod rmap;
mod swap;
mod table;
mod tlb;

pub(crate) use {
    lru::*, mask::*, mm::*, pages::*, pte::*, refs::*, rmap::*, swap::*, table::*, tlb::*,
};
