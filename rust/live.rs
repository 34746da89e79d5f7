// SPDX-License-Identifier: GPL-2.0

//! Live mode: the kernel's own reclaim runs on the batched path.

use crate::{
    control::stats::{
        self,
        PassedOn, //
    },
    sys::{
        folio::{
            Folio,
            LockedFolio, //
        },
        ftrace::{
            Redirection,
            TryToUnmapOne, //
        },
        vma::Vma, //
    },
    ttu::{
        self,
        flags::TtuFlags,
        tally::Tally, //
    },
};
use kernel::{
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        Arc,
        Mutex, //
    },
};

/// Whether live mode is on. Dropping it switches it off.
#[pin_data]
pub(crate) struct Live {
    /// What was asked for last.
    wanted: Atomic<bool>,
    /// Whether `redirection` is there, for those who do not want to wait.
    on: Atomic<bool>,
    #[pin]
    redirection: Mutex<Option<Redirection<Batched>>>,
}

impl Live {
    /// Makes the switch, off.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                wanted: Atomic::new(false),
                on: Atomic::new(false),
                redirection <- new_mutex!(None),
            }),
            GFP_KERNEL,
        )
    }

    /// Switches live mode on or off. Off means that no call is under way any more.
    ///
    /// Who comes while another is at it waits. The last one wins: those who have waited with another
    /// wish than the last to come do nothing.
    ///
    /// # Errors
    ///
    /// As [`Redirection::new`]. Nothing has changed then.
    ///
    /// Context: may sleep.
    pub(crate) fn set(&self, on: bool) -> Result {
        // Before the lock, which is not given to those who wait in the order in which they came.
        self.wanted.store(on, Relaxed);
        let mut redirection = self.redirection.lock();
        if self.wanted.load(Relaxed) != on {
            return Ok(());
        }
        if !on {
            *redirection = None;
        } else if redirection.is_none() {
            *redirection = Some(Redirection::new().inspect_err(|error| {
                pr_err!(
                    "cannot redirect try_to_unmap_one() ({error:?}): is a live patch on it, or ftrace \
                     off? See /sys/kernel/tracing/enabled_functions, kernel.ftrace_enabled\n"
                );
            })?);
        }
        self.on.store(on, Release);
        Ok(())
    }

    /// Returns whether live mode is on. It is, until it has been switched off to the end.
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Acquire)
    }
}

/// The batched path in the place of the kernel's.
struct Batched;

impl TryToUnmapOne for Batched {
    fn takes(folio: &Folio, flags: u32) -> bool {
        let why = why_passed_on(folio, TtuFlags::from_bits(flags));
        if let Some(why) = why {
            stats::count_passed_on(why);
        }
        why.is_none()
    }

    fn try_to_unmap_one(folio: &LockedFolio<'_>, vma: &Vma, address: usize, flags: u32) -> bool {
        let mut tally = Tally::default();
        let flags = TtuFlags::from_bits(flags);
        let go_on = ttu::try_to_unmap_one(folio, vma, address, flags, &mut tally);
        let gone = (!folio.is_mapped()).then(|| folio.nr_pages());
        stats::count_taken(&tally, gone);
        go_on
    }
}

/// Only large anonymous folios are ours; for the others there is nothing to gain.
fn why_passed_on(folio: &Folio, flags: TtuFlags) -> Option<PassedOn> {
    if !folio.is_anon() {
        Some(PassedOn::File)
    } else if folio.is_ksm() {
        Some(PassedOn::Ksm)
    } else if flags.contains(TtuFlags::KERNEL) {
        Some(PassedOn::Asked)
    } else if flags.contains(TtuFlags::HWPOISON) {
        Some(PassedOn::Hwpoison)
    } else if !folio.is_large() {
        Some(PassedOn::Small)
    } else if folio.is_hugetlb() {
        Some(PassedOn::Hugetlb)
    } else {
        None
    }
}
