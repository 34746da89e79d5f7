// SPDX-License-Identifier: GPL-2.0

//! Guest programs that judge the `anon_ttu` module from outside.
//!
//! The data flows one way: a [`shape`] builds a folio in a [`subject`] process and proves it, the
//! [`trigger`] unmaps it, [`observe`] reads what the kernel shows of it before and after, and a
//! [`scenario`] says what must be seen. Nothing here believes the module's own report alone.

pub mod bench;
pub mod cgroup;
pub mod count;
pub mod damon;
pub mod demo;
pub mod direct;
pub mod faults;
pub mod gup;
pub mod hmm;
pub mod hostile;
pub mod ioctl;
pub mod iouring;
pub mod knobs;
pub mod ktap;
pub mod live;
pub mod module;
pub mod observe;
pub mod paths;
pub mod pressure;
pub mod race;
pub mod random;
pub mod runner;
pub mod scenario;
pub mod shape;
pub mod subject;
pub mod sys;
pub mod trigger;
pub mod uffd;
pub mod verdict;
