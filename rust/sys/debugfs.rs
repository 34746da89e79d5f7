// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that have a state of their own for each time they are opened.
//!
//! The `kernel` crate's debugfs files share one object among all who open them, and cannot give a
//! reader back what the same open file has written.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use super::bindings;
use core::{
    marker::PhantomData,
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    },
};
use kernel::{
    error::from_result,
    ffi::{
        c_char,
        c_int, //
    },
    fmt,
    module::this_module,
    new_mutex,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        Mutex, //
    },
    uaccess::{
        UserPtr,
        UserSlice, //
    },
};

/// What a file does. The value is the state of one open file.
pub(crate) trait ControlFile: Send + Sync + Sized + 'static {
    /// What all open files share.
    type Shared: Send + Sync + 'static;

    /// Name of the file.
    const NAME: &'static CStr;
    /// Its permissions. They do not suffice: see [`may_open`].
    const MODE: u16;
    /// The most bytes that make sense to be written at once. A longer write fails with `EINVAL`.
    const MAX_WRITE: usize;

    /// Makes the state for a file that is just being opened.
    fn open(shared: Arc<Self::Shared>) -> impl PinInit<Self, Error>;

    /// Takes what was written with one write(2).
    fn write(&self, text: &[u8]) -> Result;

    /// Makes the text that reading from the beginning gives. A reader who goes on gets the rest of
    /// the same text.
    fn text(&self, out: &mut Text) -> Result;
}

/// Text that is being made for a reader.
pub(crate) struct Text(KVec<u8>);

impl Text {
    /// Appends what `value` prints.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if there is no memory for it.
    pub(crate) fn print(&mut self, value: &dyn fmt::Display) -> Result {
        fmt::Write::write_fmt(self, fmt!("{value}")).map_err(|_| ENOMEM)
    }
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0
            .extend_from_slice(text.as_bytes(), GFP_KERNEL)
            .map_err(|_| fmt::Error)
    }
}

/// An open file.
#[pin_data]
struct OpenFile<T: ControlFile> {
    #[pin]
    state: T,
    /// What the reader is getting.
    #[pin]
    text: Mutex<KVec<u8>>,
}

/// A folder directly below the root of debugfs. Dropping it removes it with all its files, after
/// calls that are under way have ended.
pub(crate) struct Dir(NonNull<bindings::dentry>);

// SAFETY: The functions that are called with the dentry may be called from any thread.
unsafe impl Send for Dir {}
// SAFETY: As above.
unsafe impl Sync for Dir {}

impl Dir {
    /// Makes the folder.
    ///
    /// # Errors
    ///
    /// `EEXIST` if there is one, `ENODEV` without debugfs, `ENOMEM`, or `EPERM` if debugfs is
    /// switched off (`debugfs=off`).
    pub(crate) fn new(name: &CStr) -> Result<Self> {
        // SAFETY: `name` is a C string; without a parent the folder is put below the root.
        let dentry =
            unsafe { bindings::debugfs_create_dir(name.as_char_ptr().cast(), ptr::null_mut()) };
        check_dentry(dentry).map(Self)
    }

    /// Returns the raw pointer.
    pub(super) fn as_ptr(&self) -> *mut bindings::dentry {
        self.0.as_ptr()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: The folder is ours. Files that are still in it are the kernel's own kind, and go
        // with it.
        unsafe { bindings::debugfs_remove(self.as_ptr()) }
    }
}

/// A file. Dropping it removes it, after calls that are under way have ended.
///
/// # Invariants
///
/// `dentry` is a file whose data is the [`Arc`] of which `shared` was made.
pub(crate) struct File<T: ControlFile> {
    dentry: NonNull<bindings::dentry>,
    shared: *const T::Shared,
    _dir: Arc<Dir>,
}

// SAFETY: The functions that are called with the dentry may be called from any thread, and
// `T::Shared` may be used and dropped by any.
unsafe impl<T: ControlFile> Send for File<T> {}
// SAFETY: As above.
unsafe impl<T: ControlFile> Sync for File<T> {}

impl<T: ControlFile> File<T> {
    /// Makes a file in the folder.
    ///
    /// # Errors
    ///
    /// As [`Dir::new`].
    pub(crate) fn new(dir: &Arc<Dir>, shared: Arc<T::Shared>) -> Result<Self> {
        let shared = Arc::into_raw(shared);
        // SAFETY: `FileOps::<T>::OPS` takes the data as what it is. It lives until the file is
        // gone: it is given up below, or when `File` is dropped.
        let dentry = check_dentry(unsafe {
            bindings::debugfs_create_file_full(
                T::NAME.as_char_ptr().cast(),
                T::MODE,
                dir.as_ptr(),
                shared.cast_mut().cast(),
                ptr::null(),
                &FileOps::<T>::OPS,
            )
        });
        match dentry {
            // INVARIANT: Just made so.
            Ok(dentry) => Ok(Self {
                dentry,
                shared,
                _dir: dir.clone(),
            }),
            Err(error) => {
                // SAFETY: Made by `into_raw()` above; there is no file that could use it.
                drop(unsafe { Arc::from_raw(shared) });
                Err(error)
            }
        }
    }
}

impl<T: ControlFile> Drop for File<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariants the file is ours. When it is gone, nobody uses the data.
        unsafe {
            bindings::debugfs_remove(self.dentry.as_ptr());
            drop(Arc::from_raw(self.shared));
        }
    }
}

/// Whether files can be opened.
static READY: Atomic<bool> = Atomic::new(false);

/// Lets files be opened. Until then, that fails with `ENODEV`.
///
/// To be called when the module's init cannot fail any more: the kernel frees a module whose init
/// fails even while one of its files is open (`kernel/module/main.c: do_init_module`).
pub(crate) fn let_open() {
    READY.store(true, Relaxed);
}

/// Returns whether the current task may open files: with `CAP_SYS_ADMIN` in the initial user
/// namespace. Permissions of the files alone would let in whoever has root's number, also as root
/// of a namespace that it is mapped to, or with no capability left.
fn may_open() -> bool {
    // SAFETY: Called in the context of a task, with the number of a capability.
    unsafe { bindings::capable(bindings::CAP_SYS_ADMIN) }
}

/// Turns what the functions that make files return into a result.
pub(super) fn check_dentry(dentry: *mut bindings::dentry) -> Result<NonNull<bindings::dentry>> {
    NonNull::new(kernel::error::from_err_ptr(dentry)?).ok_or(ENOMEM)
}

/// The C callbacks of a file.
struct FileOps<T>(PhantomData<T>);

impl<T: ControlFile> FileOps<T> {
    const OPS: bindings::file_operations = bindings::file_operations {
        // Keeps the module while a file is open.
        owner: this_module::<crate::AnonTtu>().as_ptr().cast(),
        open: Some(Self::open),
        release: Some(Self::release),
        read: Some(Self::read),
        write: Some(Self::write),
        llseek: Some(bindings::default_llseek),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// To be called for a file that was made with [`Self::OPS`] only, as are the other callbacks.
    unsafe extern "C" fn open(inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        if !may_open() {
            return EPERM.to_errno();
        }
        if !READY.load(Relaxed) {
            return ENODEV.to_errno();
        }
        // SAFETY: The private data of the inode is what the file was made with: a pointer of an
        // `Arc` that lives as long as the file. That one's count is not ours to give up.
        let shared = unsafe {
            let shared: *const T::Shared = (*inode).i_private.cast_const().cast();
            Arc::clone(&ManuallyDrop::new(Arc::from_raw(shared)))
        };
        let open = KBox::try_pin_init(
            try_pin_init!(OpenFile::<T> {
                state <- T::open(shared),
                text <- new_mutex!(KVec::new()),
            }),
            GFP_KERNEL,
        );
        match open {
            Ok(open) => {
                // SAFETY: The file is being opened: its private data is ours to set. The box is
                // not moved out of before `release()`.
                unsafe {
                    (*file).private_data = KBox::into_raw(Pin::into_inner_unchecked(open)).cast()
                };
                0
            }
            Err(error) => error.to_errno(),
        }
    }

    /// # Safety
    ///
    /// As for [`Self::open`].
    unsafe extern "C" fn release(_inode: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `open()` has put the box there, and this is the last call for the file.
        drop(unsafe {
            Pin::new_unchecked(KBox::<OpenFile<T>>::from_raw((*file).private_data.cast()))
        });
        0
    }

    /// # Safety
    ///
    /// As for [`Self::open`].
    unsafe extern "C" fn read(
        file: *mut bindings::file,
        buffer: *mut c_char,
        len: usize,
        pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: `open()` has put the object there; it lives until `release()`.
        let open = unsafe { &*(*file).private_data.cast::<OpenFile<T>>() };
        // SAFETY: The position is the caller's, and nobody else's during the call.
        let pos = unsafe { &mut *pos };
        from_result(|| {
            let mut text = open.text.lock();
            if *pos == 0 {
                let mut new = Text(KVec::new());
                open.state.text(&mut new)?;
                *text = new.0;
            }
            let start = usize::try_from(*pos)?;
            let rest = text.get(start..).unwrap_or_default();
            let nr = rest.len().min(len);
            let mut writer = UserSlice::new(UserPtr::from_ptr(buffer.cast()), nr).writer();
            writer.write_slice(&rest[..nr])?;
            *pos += nr as bindings::loff_t;
            Ok(nr as isize)
        })
    }

    /// # Safety
    ///
    /// As for [`Self::open`].
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        buffer: *const c_char,
        len: usize,
        pos: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: `open()` has put the object there; it lives until `release()`.
        let open = unsafe { &*(*file).private_data.cast::<OpenFile<T>>() };
        from_result(|| {
            if len > T::MAX_WRITE {
                return Err(EINVAL);
            }
            let mut text = KVec::new();
            UserSlice::new(UserPtr::from_ptr(buffer.cast_mut().cast()), len)
                .read_all(&mut text, GFP_KERNEL)?;
            open.state.write(&text)?;
            // What is read next begins with the answer.
            // SAFETY: The position is the caller's, and nobody else's during the call.
            unsafe { *pos = 0 };
            Ok(len as isize)
        })
    }
}
