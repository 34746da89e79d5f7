// SPDX-License-Identifier: GPL-2.0

//! Redirecting the kernel's `try_to_unmap_one()`.
//!
//! ftrace calls [`handler`] where the kernel's function begins; the handler either lets it run or
//! has the CPU go on in [`replacement`] instead, with the same arguments and the same return
//! address (`FTRACE_OPS_FL_IPMODIFY`, what live patches are made of).
//!
//! C header: [`include/linux/ftrace.h`](srctree/include/linux/ftrace.h)

use super::{
    bindings,
    folio::{
        Folio,
        LockedFolio, //
    },
    vma::Vma, //
};
use core::marker::PhantomData;
use kernel::{
    error::to_result,
    ffi::{
        c_ulong,
        c_void, //
    },
    prelude::*,
    sync::{
        atomic::{
            Acquire,
            Atomic,
            Relaxed,
            Release, //
        },
        rcu::synchronize_rcu, //
    },
    time::{
        delay::fsleep,
        Delta, //
    },
    types::Opaque, //
};

/// What can take the place of the kernel's `try_to_unmap_one()`.
pub(crate) trait TryToUnmapOne: 'static {
    /// Returns whether a call is to be taken; the kernel's function runs otherwise.
    ///
    /// Called for every call of the kernel's function. Must not sleep: preemption is off where
    /// somebody else traces the function as well.
    fn takes(folio: &Folio, flags: u32) -> bool;

    /// Does what `try_to_unmap_one()` in [`mm/rmap.c`](srctree/mm/rmap.c) would.
    ///
    /// Context: called by an rmap walk with the anon_vma lock held; may sleep.
    fn try_to_unmap_one(folio: &LockedFolio<'_>, vma: &Vma, address: usize, flags: u32) -> bool;
}

/// `T` in the place of the kernel's `try_to_unmap_one()`, until this is dropped.
///
/// Dropping it waits for calls that are under way, so that the code of `T` may vanish after that.
///
/// # Invariants
///
/// The operations are registered.
pub(crate) struct Redirection<T: TryToUnmapOne> {
    ops: FilteredOps,
    _replacement: PhantomData<T>,
}

impl<T: TryToUnmapOne> Redirection<T> {
    /// Begins to redirect.
    ///
    /// # Errors
    ///
    /// `EBUSY` if something else redirects the function already, or the sysctl
    /// `kernel.ftrace_enabled` is 0; `ENODEV` if ftrace has given up for good before. Nothing has
    /// changed then.
    ///
    /// Context: may sleep. Does not return if ftrace gives up meanwhile.
    pub(crate) fn new() -> Result<Self> {
        let ops = FilteredOps::new(handler::<T>)?;
        // SAFETY: The operations are initialised, and stay where they are until they are
        // unregistered.
        let result = to_result(unsafe { bindings::register_ftrace_function(ops.as_ptr()) });
        if let Err(error) = result {
            // What is refused in time is not enabled any more.
            if ops.is_enabled() {
                does_not_let_go(error);
            }
            // They may have been in ftrace's list of operations for a moment. Who goes through it
            // has preemption off.
            synchronize_rcu();
            // SAFETY: We may sleep.
            unsafe { bindings::synchronize_rcu_tasks() };
            wait_for_calls();
        }
        result?;
        // INVARIANT: Just registered.
        Ok(Self {
            ops,
            _replacement: PhantomData,
        })
    }
}

impl<T: TryToUnmapOne> Drop for Redirection<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the operations are registered.
        let result = to_result(unsafe { bindings::unregister_ftrace_function(self.ops.as_ptr()) });
        if let Err(error) = result {
            does_not_let_go(error);
        }
        // Unregistering has waited for the tasks in the handler and on their way from there.
        wait_for_calls();
    }
}

/// Never returns: ftrace gives up for good when it finds its own records broken. What it has patched
/// then still leads here, so this code has to stay.
#[cold]
fn does_not_let_go(error: Error) -> ! {
    pr_emerg!("ftrace does not let go of try_to_unmap_one() ({error:?}): reboot\n");
    loop {
        fsleep(Delta::from_secs(60));
    }
}

/// Waits for calls of [`replacement`].
///
/// To be called when no new one can come, and every task that was in the handler, or on its way from
/// there into [`replacement`], has slept or left the kernel: it has been counted before it could
/// sleep.
fn wait_for_calls() {
    IN_FLIGHT.wait();
    // Who is not counted any more may still have to return from here.
    // SAFETY: We may sleep.
    unsafe { bindings::synchronize_rcu_tasks() };
}

/// Operations that are called for `try_to_unmap_one()`, not registered by themselves.
struct FilteredOps(KBox<Opaque<bindings::ftrace_ops>>);

// SAFETY: ftrace's functions may be called with the operations from any thread.
unsafe impl Send for FilteredOps {}

impl FilteredOps {
    fn new(handler: Handler) -> Result<Self> {
        let ops = Self(KBox::new(
            Opaque::new(bindings::ftrace_ops {
                func: Some(handler),
                // Permanent: where a sysctl can still stop all of ftrace, it must not stop this.
                flags: bindings::FTRACE_OPS_FL_IPMODIFY | bindings::FTRACE_OPS_FL_PERMANENT,
                ..pin_init::zeroed()
            }),
            GFP_KERNEL,
        )?);
        // SAFETY: The operations are zeroed where nothing else is said, as in a C initialiser;
        // the function only looks the address up.
        to_result(unsafe {
            bindings::ftrace_set_filter_ip(ops.as_ptr(), bindings::try_to_unmap_one_address(), 0, 0)
        })?;
        Ok(ops)
    }

    fn as_ptr(&self) -> *mut bindings::ftrace_ops {
        self.0.get()
    }

    /// Returns whether code may lead to the operations.
    fn is_enabled(&self) -> bool {
        // SAFETY: The operations live; ftrace changes the flags while it registers or
        // unregisters them only, which is not the case now.
        unsafe { (*self.as_ptr()).flags & bindings::FTRACE_OPS_FL_ENABLED != 0 }
    }
}

impl Drop for FilteredOps {
    fn drop(&mut self) {
        // SAFETY: The operations are not registered any more, or never were: `Redirection` keeps
        // those that ftrace does not let go of.
        unsafe { bindings::ftrace_free_filter(self.as_ptr()) }
    }
}

type Handler =
    unsafe extern "C" fn(c_ulong, c_ulong, *mut bindings::ftrace_ops, *mut bindings::ftrace_regs);

/// Decides about one call.
///
/// # Safety
///
/// To be called by ftrace at the beginning of `try_to_unmap_one()` only.
unsafe extern "C" fn handler<T: TryToUnmapOne>(
    _ip: c_ulong,
    _parent_ip: c_ulong,
    _ops: *mut bindings::ftrace_ops,
    fregs: *mut bindings::ftrace_regs,
) {
    // SAFETY: ftrace lends the registers for this call. The function has four arguments: the
    // folio, which is locked by the caller, the VMA, the address, and the flags.
    let (folio, flags) = unsafe {
        let folio = bindings::ftrace_regs_get_argument(fregs, 0) as *mut bindings::folio;
        let flags = bindings::ftrace_regs_get_argument(fregs, 3) as u32;
        (Folio::from_raw(folio), flags)
    };
    if T::takes(folio, flags) {
        // SAFETY: As above; the replacement has the same parameters and the same result.
        unsafe {
            bindings::ftrace_regs_set_instruction_pointer(
                fregs,
                replacement::<T> as *const () as c_ulong,
            );
        }
    }
}

/// Stands in for `try_to_unmap_one()`.
///
/// # Safety
///
/// As for the kernel's function: the folio must be locked, and an rmap walk must hold the
/// anon_vma lock, by which `vma` is kept; `address` is where that walk says that the folio begins in
/// it.
unsafe extern "C" fn replacement<T: TryToUnmapOne>(
    folio: *mut bindings::folio,
    vma: *mut bindings::vm_area_struct,
    address: c_ulong,
    arg: *mut c_void,
) -> bool {
    let _call = IN_FLIGHT.enter();
    // SAFETY: By the safety contract.
    let (folio, vma) = unsafe {
        (
            LockedFolio::assume_locked(Folio::from_raw(folio)),
            Vma::from_raw(vma),
        )
    };
    T::try_to_unmap_one(&folio, vma, address, arg as usize as u32)
}

/// Calls of [`replacement`] that are under way.
///
/// They can sleep in an mmu notifier, so no flavour of RCU alone waits for them.
struct InFlight(Atomic<i64>);

static IN_FLIGHT: InFlight = InFlight(Atomic::new(0));

impl InFlight {
    fn enter(&self) -> Call<'_> {
        self.0.add(1, Relaxed);
        Call(self)
    }

    /// Waits until there is none. No new one may come meanwhile.
    fn wait(&self) {
        while self.0.load(Acquire) != 0 {
            fsleep(Delta::from_millis(1));
        }
    }
}

/// One call, which counts until it is dropped.
struct Call<'a>(&'a InFlight);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        // All that the call has done comes before who waits goes on.
        self.0 .0.fetch_sub(1, Release);
    }
}
