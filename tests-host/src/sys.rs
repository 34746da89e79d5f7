// SPDX-License-Identifier: GPL-2.0

//! The module's doors to kernel objects; what is behind them is the model.

use crate::bindings;

#[path = "../../rust/sys/barrier.rs"]
pub(crate) mod barrier;
#[path = "../../rust/sys/cleared.rs"]
pub(crate) mod cleared;
#[path = "../../rust/sys/fault.rs"]
pub(crate) mod fault;
#[path = "../../rust/sys/folio.rs"]
pub(crate) mod folio;
#[path = "../../rust/sys/lru.rs"]
pub(crate) mod lru;
#[path = "../../rust/sys/mm.rs"]
pub(crate) mod mm;
#[path = "../../rust/sys/mmu_notifier.rs"]
pub(crate) mod mmu_notifier;
#[path = "../../rust/sys/page.rs"]
pub(crate) mod page;
#[path = "../../rust/sys/pagewalk.rs"]
pub(crate) mod pagewalk;
#[path = "../../rust/sys/pte.rs"]
pub(crate) mod pte;
#[path = "../../rust/sys/pte_mapping.rs"]
pub(crate) mod pte_mapping;
#[path = "rmap.rs"]
pub(crate) mod rmap;
#[path = "../../rust/sys/swap.rs"]
pub(crate) mod swap;
#[path = "../../rust/sys/swap_table.rs"]
pub(crate) mod swap_table;
#[path = "../../rust/sys/tlb.rs"]
pub(crate) mod tlb;
#[path = "../../rust/sys/vma.rs"]
pub(crate) mod vma;
#[path = "../../rust/sys/walk.rs"]
pub(crate) mod walk;

/// Lends a folio of the model, for as long as it stays where it is.
pub(crate) fn lend(folio: &mut bindings::folio) -> &folio::Folio {
    // SAFETY: The reference that is given keeps the folio, and everything is single-threaded.
    unsafe { folio::Folio::from_raw(folio) }
}
