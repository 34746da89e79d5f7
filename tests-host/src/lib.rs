// SPDX-License-Identifier: GPL-2.0

//! What of the module's own sources needs no kernel, tested on the host.
//!
//! The files behind `ttu` and `control` are those that the module is built from. The properties
//! hold them against something simpler: entries counted by their neighbours, a page after the
//! other, a grammar.

#![cfg(test)]

mod control;
mod target;
mod ttu;

mod property;

// The tests. Their names are what is printed.
mod batch;
mod bookkeeping;
mod request;
