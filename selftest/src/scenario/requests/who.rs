// SPDX-License-Identifier: GPL-2.0

//! Who may ask, and for which processes.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use super::one_folio;
use crate::knobs;
use crate::live::LIVE;
use crate::observe::pagemap;
use crate::scenario::untouched;
use crate::subject::Family;
use crate::sys::{self, errno_name, End};
use crate::trigger::{self, Path, Request, STATS, UNMAP};
use crate::verdict::{Checks, Stop};

pub fn modes(checks: &mut Checks) -> Result<(), Stop> {
    for (path, mode) in [(UNMAP, 0o600), (LIVE, 0o600), (STATS, 0o400)] {
        let meta = fs::metadata(path)?;
        checks.eq(&format!("mode of {path}"), meta.mode() & 0o7777, mode);
        checks.eq("owner", (meta.uid(), meta.gid()), (0, 0));
    }
    let before = trigger::stats()?;
    // Root may open what the mode forbids; the write must then fail.
    let open = OpenOptions::new().write(true).open(STATS);
    let written = open.and_then(|f| std::io::Write::write(&mut &f, b"0\n"));
    checks.that(written.is_err(), || "stats can be written to".into());
    checks.eq("stats", trigger::stats()?, before);
    Ok(())
}

pub fn nobody_but_root(checks: &mut Checks) -> Result<(), Stop> {
    let Some(pid) = sys::fork()? else {
        let refused = |path: &str, write: bool| {
            let mut options = OpenOptions::new();
            options.read(!write).write(write).open(path).is_err()
        };
        let ok = sys::become_user(65534).is_ok()
            && refused(UNMAP, false)
            && refused(UNMAP, true)
            && refused(STATS, false);
        sys::exit_now(i32::from(!ok))
    };
    let end = sys::wait(pid, true)?;
    checks.eq("end of the child", end, Some(End::Code(0)));
    Ok(())
}

pub fn pid_namespace(checks: &mut Checks) -> Result<(), Stop> {
    let file = OpenOptions::new().read(true).write(true).open(UNMAP)?;
    sys::unshare(libc::CLONE_NEWPID).map_err(|e| Stop::Skip(format!("unshare: {e}")))?;
    // The subject is process 1 of a new namespace, and writes the request itself.
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let subject = &shape.subjects[0];
    let text = format!("1 {:#x}\n", shape.folio.address);
    let at = family.scratch.put(0, text.as_bytes());
    let args = [file.as_raw_fd() as u64, at, text.len() as u64, 0, 0, 0];
    let written = subject.syscall(libc::SYS_write, args)?;
    checks.eq("written", written.ok(), Some(text.len() as u64));
    let pages = pagemap::read(subject.pid, shape.folio.address, shape.folio.pages)?;
    let all = pages.iter().all(|e| e.swapped());
    checks.that(all, || "not all pages are swapped".into());
    Ok(())
}

pub fn no_such_process(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(3)?;
    let shape = one_folio(&family)?;
    let (zombie, dead) = (family.spawn()?, family.spawn()?);
    let dead_pid = dead.pid;
    zombie.become_zombie()?;
    dead.exit()?;
    let kernel_thread = knobs::read("/proc/2/comm")?;
    let before = shape.look()?;
    for (what, pid) in [
        ("a zombie", zombie.pid),
        ("a dead process", dead_pid),
        (&format!("a kernel thread ({kernel_thread})"), 2),
        ("the largest pid", i32::MAX),
    ] {
        for path in Path::BOTH {
            let request = Request::new(pid, shape.folio.address, path);
            let answer = trigger::request(&request)?;
            let what = format!("errno for {what}, path={path}");
            checks.eq(&what, errno_name(answer.errno), "ESRCH".into());
        }
    }
    untouched::check(checks, &shape.folio, &before, &shape.look()?);
    Ok(())
}
