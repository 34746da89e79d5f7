// SPDX-License-Identifier: GPL-2.0

//! Hostile requests from seeds that stay the same, and people who may not ask; `make hostile` makes
//! many more requests.

use std::ffi::CString;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;

use crate::hostile::{self, Plan};
use crate::live::LIVE;
use crate::runner::Test;
use crate::sys::{self, End};
use crate::trigger::{STATS, UNMAP};
use crate::verdict::{Checks, Stop};

/// As many as take ten seconds or so.
const REQUESTS: u64 = 7000;
const NOBODY: u32 = 65534;

/// Makes the calling process one of those who may not ask.
type Become = fn() -> io::Result<()>;
/// A system call on a path, as it returns.
type Attempt = fn(&CString) -> i64;

/// All of them.
pub fn tests() -> Vec<Test> {
    let lives = [
        ("live mode off", Some(false)),
        ("live mode on", Some(true)),
        ("live mode switched", None),
    ];
    let mut tests: Vec<_> = (1..).zip(lives).map(requests).collect();
    let people: [(&str, Become); 3] = [
        ("another user", || sys::become_user(NOBODY)),
        ("another user, no capability to be had", || {
            drop_capabilities()?;
            sys::become_user(NOBODY)
        }),
        ("root of a user namespace", root_of_namespace),
    ];
    for (who, become_them) in people {
        tests.push(Test::new(format!("hostile: {who} is refused"), move |c| {
            refused(c, become_them)
        }));
    }
    tests
}

fn requests((seed, (name, live)): (u64, (&'static str, Option<bool>))) -> Test {
    let requests = sys::repeats(REQUESTS);
    let name = format!("hostile: {requests} requests from seed {seed}, {name}");
    Test::new(name, move |checks| {
        let plan = Plan {
            seed,
            first: 0,
            requests,
            live,
        };
        let mut said = Vec::new();
        let judged = hostile::run(checks, &plan, &mut |line| said.push(line))?;
        said.into_iter().for_each(|line| checks.note(line));
        checks.eq("requests judged", judged.done, requests);
        Ok(())
    })
}

/// What one could try with a file.
const TRIES: [(&str, Attempt); 8] = [
    ("open to read", |path| open(path, libc::O_RDONLY)),
    ("open to write", |path| open(path, libc::O_WRONLY)),
    ("open for both", |path| open(path, libc::O_RDWR)),
    ("truncate while opening", |path| {
        open(path, libc::O_WRONLY | libc::O_TRUNC)
    }),
    ("truncate", |path| {
        // SAFETY: `path` is a valid string.
        unsafe { libc::truncate(path.as_ptr(), 0) }.into()
    }),
    ("chmod", |path| {
        // SAFETY: As above.
        unsafe { libc::chmod(path.as_ptr(), 0o666) }.into()
    }),
    ("chown", |path| {
        // SAFETY: As above.
        unsafe { libc::chown(path.as_ptr(), NOBODY, NOBODY) }.into()
    }),
    ("unlink", |path| {
        // SAFETY: As above.
        unsafe { libc::unlink(path.as_ptr()) }.into()
    }),
];

fn open(path: &CString, flags: i32) -> i64 {
    // SAFETY: `path` is a valid string.
    unsafe { libc::open(path.as_ptr(), flags) }.into()
}

/// Whoever it is gets EACCES or EPERM, whether or not others may look into debugfs.
fn refused(checks: &mut Checks, become_them: Become) -> Result<(), Stop> {
    const DEBUGFS: &str = "/sys/kernel/debug";
    let was = fs::metadata(DEBUGFS)?.permissions();
    for mode in [0o700, 0o755] {
        fs::set_permissions(DEBUGFS, Permissions::from_mode(mode))?;
        let tried = attempt(checks, become_them, mode);
        fs::set_permissions(DEBUGFS, was.clone())?;
        tried?;
    }
    Ok(())
}

fn attempt(checks: &mut Checks, become_them: Become, mode: u32) -> Result<(), Stop> {
    let (mut near, far) = sys::pipe()?;
    let Some(pid) = sys::fork()? else {
        drop(near);
        let code = match become_them() {
            Ok(()) => {
                report_tries(&far);
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
    checks.eq("tries", text.lines().count(), 3 * TRIES.len());
    for line in text.lines() {
        // EINVAL: a user that the namespace does not have cannot even be named.
        let good = line.ends_with(" EACCES")
            || line.ends_with(" EPERM")
            || (line.contains("chown ") && line.ends_with(" EINVAL"));
        checks.that(good, || format!("debugfs {mode:#o}: {line}"));
    }
    Ok(())
}

fn report_tries(mut out: &fs::File) {
    for path in [UNMAP, LIVE, STATS] {
        let path_c = CString::new(path).expect("no NUL");
        for (what, attempt) in TRIES {
            let errno = match sys::cvt(attempt(&path_c)) {
                Ok(_) => 0,
                Err(e) => e.raw_os_error().unwrap_or(-1),
            };
            let _ = io::Write::write_all(
                &mut out,
                format!("{what} {path}: {}\n", sys::errno_name(errno)).as_bytes(),
            );
        }
    }
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

/// Another user who is root, with all capabilities, in a user namespace of their own.
fn root_of_namespace() -> io::Result<()> {
    sys::become_user(NOBODY)?;
    // SAFETY: This takes numbers only. Else the files in /proc/self belong to root.
    sys::cvt(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) }.into())?;
    sys::unshare(libc::CLONE_NEWUSER)?;
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("0 {NOBODY} 1"))?;
    fs::write("/proc/self/gid_map", format!("0 {NOBODY} 1"))?;
    sys::become_user(0)
}
