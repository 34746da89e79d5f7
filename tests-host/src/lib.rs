// SPDX-License-Identifier: GPL-2.0

//! The module's own sources over a kernel that is a model, held against an oracle.
//!
//! `ttu`, `target` and what is listed in `sys` and `control` are the files that the module is
//! built from. Under them, in place of what bindgen makes, is [`bindings`]: page tables, folios
//! and swap counts as plain data, with functions of the kernel's names that check their callers.
//! [`reference`] says in another way, one page at a time, what has to come of it.

#![cfg(test)]

mod bindings;
mod control;
#[allow(dead_code)]
mod sys;
#[deny(unsafe_code)]
#[path = "../../rust/target.rs"]
#[allow(dead_code)]
mod target;
#[deny(unsafe_code)]
#[path = "../../rust/ttu/mod.rs"]
#[allow(dead_code)]
mod ttu;

mod machine;
mod property;
mod recipe;
mod reference;

// The tests. Their names are what is printed.
mod batch;
mod bookkeeping;
mod inconsistent;
mod request;
mod requested;
mod unmap;
