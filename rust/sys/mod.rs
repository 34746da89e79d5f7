// SPDX-License-Identifier: GPL-2.0

//! Kernel objects behind safe doors.
//!
//! This is the only place of the module with `unsafe` or with the name of a binding. Everything
//! above is safe Rust that reads beside `mm/rmap.c`.

pub(crate) mod barrier;
mod bindings;
pub(crate) mod cleared;
pub(crate) mod debugfs;
pub(crate) mod fault;
pub(crate) mod folio;
pub(crate) mod ftrace;
pub(crate) mod lru;
pub(crate) mod mm;
pub(crate) mod mmu_notifier;
pub(crate) mod page;
pub(crate) mod pagewalk;
pub(crate) mod platform;
pub(crate) mod pte;
pub(crate) mod pte_mapping;
pub(crate) mod rmap;
pub(crate) mod swap;
mod swap_table;
pub(crate) mod symbols;
pub(crate) mod tlb;
pub(crate) mod vma;
pub(crate) mod walk;
