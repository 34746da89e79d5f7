// SPDX-License-Identifier: GPL-2.0

//! People who may not use the files.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use crate::live::LIVE;
use crate::runner::Test;
use crate::sys::{self, End};
use crate::trigger::{STATS, UNMAP};
use crate::verdict::{Checks, Stop};

const NOBODY: u32 = 65534;

/// Somebody who may not ask.
struct Person {
    name: &'static str,
    /// Makes the calling process one.
    become_them: fn() -> io::Result<()>,
    /// Whether the files are theirs, by the number of the user.
    owns: bool,
}

/// A system call on a path, as it returns.
type Attempt = fn(&CString) -> i64;

/// A test for each of them.
pub fn tests() -> Vec<Test> {
    let test = |who: Person| {
        let name = format!("hostile: {} is refused", who.name);
        Test::new(name, move |checks| refused(checks, &who))
    };
    people().into_iter().map(test).collect()
}

fn people() -> [Person; 5] {
    let person = |name, owns, become_them| Person {
        name,
        become_them,
        owns,
    };
    [
        person("another user", false, || sys::become_user(NOBODY)),
        person("another user, no capability to be had", false, || {
            drop_capabilities()?;
            sys::become_user(NOBODY)
        }),
        person("root of a user namespace", false, || {
            sys::become_user(NOBODY)?;
            root_of_namespace(NOBODY)
        }),
        person("root, as root of a user namespace", true, || {
            root_of_namespace(0)
        }),
        person("root without a capability", true, || {
            drop_capabilities()?;
            sys::have_no_capabilities()
        }),
    ]
}

/// What one could try with a file. What comes before opening it may well succeed for its owner.
const TRIES: [(&str, Attempt); 8] = [
    ("chmod", |path| {
        // SAFETY: `path` is a valid string.
        unsafe { libc::chmod(path.as_ptr(), 0o666) }.into()
    }),
    ("truncate", |path| {
        // SAFETY: As above.
        unsafe { libc::truncate(path.as_ptr(), 0) }.into()
    }),
    ("chown", |path| {
        // SAFETY: As above.
        unsafe { libc::chown(path.as_ptr(), NOBODY, NOBODY) }.into()
    }),
    ("unlink", |path| {
        // SAFETY: As above.
        unsafe { libc::unlink(path.as_ptr()) }.into()
    }),
    ("open to read", |path| open(path, libc::O_RDONLY)),
    ("open to write", |path| open(path, libc::O_WRONLY)),
    ("open for both", |path| open(path, libc::O_RDWR)),
    ("truncate while opening", |path| {
        open(path, libc::O_WRONLY | libc::O_TRUNC)
    }),
];

fn open(path: &CString, flags: i32) -> i64 {
    // SAFETY: `path` is a valid string.
    unsafe { libc::open(path.as_ptr(), flags) }.into()
}

/// Whoever it is gets EACCES or EPERM, whether or not others may look into debugfs, and also if
/// somebody lets all users write to the files.
fn refused(checks: &mut Checks, who: &Person) -> Result<(), Stop> {
    const DEBUGFS: &str = "/sys/kernel/debug";
    let paths = [DEBUGFS, UNMAP, LIVE, STATS];
    let mode = |path| Ok::<_, io::Error>(fs::metadata(path)?.permissions().mode());
    let set = |path, mode| fs::set_permissions(path, Permissions::from_mode(mode));
    for (debugfs, files) in [(0o700, None), (0o755, None), (0o755, Some(0o666))] {
        let was = paths.map(mode);
        set(DEBUGFS, debugfs)?;
        for path in &paths[1..] {
            files.map_or(Ok(()), |mode| set(path, mode))?;
        }
        let open = files.map_or("", |_| ", files open to all");
        checks.context(format!("debugfs {debugfs:#o}{open}"));
        let tried = attempt(checks, who, files.is_some());
        for (path, mode) in paths.into_iter().zip(was) {
            set(path, mode?)?;
        }
        tried?;
    }
    Ok(())
}

fn attempt(checks: &mut Checks, who: &Person, writable: bool) -> Result<(), Stop> {
    let handed_on = fs::File::options().read(true).write(true).open(UNMAP)?;
    let (mut near, far) = sys::pipe()?;
    let Some(pid) = sys::fork()? else {
        drop(near);
        let code = match (who.become_them)() {
            Ok(()) => {
                report_tries(&far, &handed_on);
                0
            }
            Err(e) => e.raw_os_error().unwrap_or(1),
        };
        sys::exit_now(code)
    };
    drop(far);
    let mut text = String::new();
    io::Read::read_to_string(&mut near, &mut text)?;
    match sys::wait(pid, true)? {
        Some(End::Code(0)) => {}
        Some(End::Code(errno)) => {
            let e = io::Error::from_raw_os_error(errno);
            return Err(Stop::Skip(format!("cannot be made: {e}")));
        }
        end => checks.eq("end of the child", end, Some(End::Code(0))),
    }
    checks.eq("tries", text.lines().count(), 1 + 3 * TRIES.len());
    for line in text.lines() {
        let (what, answer) = line.rsplit_once(' ').unwrap_or((line, ""));
        let good = match what.split(' ').next() {
            // What root has opened and handed on can be used: this is no request.
            Some("handed-on:") => answer == "EINVAL",
            _ if ["EACCES", "EPERM"].contains(&answer) => true,
            Some("chmod") => who.owns && answer == "ok",
            Some("truncate") if what.starts_with("truncate /") => {
                (who.owns || writable) && answer == "ok"
            }
            // A user that the namespace does not have cannot even be named.
            Some("chown") => answer == "EINVAL",
            _ => false,
        };
        checks.that(good, || line.into());
    }
    Ok(())
}

fn report_tries(mut out: &fs::File, mut handed_on: &fs::File) {
    let mut tell = |what: &str, result: io::Result<()>| {
        let errno = result.map_or_else(|e| e.raw_os_error().unwrap_or(-1), |()| 0);
        let line = format!("{what}: {}\n", sys::errno_name(errno));
        let _ = io::Write::write_all(&mut out, line.as_bytes());
    };
    for path in [UNMAP, LIVE, STATS] {
        let path_c = CString::new(path).expect("no NUL");
        for (what, attempt) in TRIES {
            tell(
                &format!("{what} {path}"),
                sys::cvt(attempt(&path_c)).map(drop),
            );
        }
    }
    let written = io::Write::write(&mut handed_on, b"no request");
    tell("handed-on", written.map(drop));
}

/// Gives up all capabilities that a program could still get.
fn drop_capabilities() -> io::Result<()> {
    for capability in 0..64 {
        // SAFETY: This takes numbers only. Beyond the last capability it fails.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // SAFETY: As above.
    sys::cvt(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }.into()).map(drop)
}

/// Root, with all capabilities, of a user namespace of their own, in which `user` is root.
fn root_of_namespace(user: u32) -> io::Result<()> {
    // SAFETY: This takes numbers only. Else the files in /proc/self belong to root.
    sys::cvt(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) }.into())?;
    sys::unshare(libc::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {user} 1"))?;
    sys::become_user(0)
}
