// SPDX-License-Identifier: GPL-2.0

//! The files themselves: malformed requests, reports, permissions.

use std::fs::{self, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;

use super::untouched;
use crate::knobs;
use crate::observe::pagemap;
use crate::runner::Test;
use crate::shape::{self, whole, Mapping, Shape};
use crate::subject::Family;
use crate::sys::{self, errno_name, End};
use crate::trigger::{self, Path, Report, Request, Trigger, STATS, UNMAP};
use crate::verdict::{Checks, Stop};

/// All of them.
pub fn tests() -> Vec<Test> {
    let mut tests = vec![
        Test::new("requests: reading before any request", read_first),
        Test::new("requests: modes of the files", modes),
        Test::new("requests: nobody but root", nobody_but_root),
        Test::new("requests: accepted forms", accepted),
        Test::new("requests: report in pieces", report_in_pieces),
        Test::new("requests: writing at an offset", write_at_offset),
        Test::new("requests: two open files", two_files),
        Test::new("requests: report on a fresh file", fresh_file),
        Test::new("requests: totals add up", totals),
        Test::new("requests: pid of the writer's namespace", pid_namespace),
        Test::new("requests: no such process", no_such_process),
        Test::new("requests: an empty write", empty_write),
    ];
    for (name, form) in MALFORMED {
        let body = move |checks: &mut Checks| refused(checks, form);
        tests.push(Test::new(format!("requests: EINVAL: {name}"), body));
    }
    for len in [4 << 10, 64 << 10, 1 << 20] {
        for filler in [b' ', b'x', 0] {
            let name = format!("requests: EINVAL: {len} bytes, filled with {filler:#x}");
            tests.push(Test::new(name, move |checks| {
                refused_bytes(checks, &|request| {
                    let mut bytes = format!("{request} ").into_bytes();
                    bytes.resize(len, filler);
                    bytes
                })
            }));
        }
    }
    tests
}

/// Forms with `P` for the pid and `A` for the address of a folio that could be unmapped: who reads
/// them too kindly unmaps it.
const MALFORMED: [(&str, &[u8]); 49] = [
    ("a newline", b"\n"),
    ("spaces", b"   "),
    ("no address", b"P"),
    ("no address, a newline", b"P\n"),
    ("no pid", b"A"),
    ("negative pid", b"-P A"),
    ("pid with a plus", b"+P A"),
    ("hexadecimal pid", b"0x1 A"),
    ("pid out of range", b"99999999999999999999 A"),
    ("pid with letters", b"Px A"),
    ("negative address", b"P -4096"),
    ("address with a plus", b"P +A"),
    ("address out of range", b"P 0x1ffffffffffffffff"),
    ("address of 0x", b"P 0x"),
    ("address with odd digits", b"P 0xzz"),
    ("address with a comma", b"P A,"),
    ("a comma for the space", b"P,A"),
    ("a negative length", b"P A -4096"),
    ("a length of 0", b"P A 0"),
    ("a length of 0x0", b"P A 0x0"),
    ("a length of 0x", b"P A 0x"),
    ("a length with a suffix", b"P A 64k"),
    ("a length out of range", b"P A 0x10000000000000000"),
    ("a range past the end", b"P A 0xffffffffffffffff"),
    ("two lengths", b"P A 4096 4096"),
    ("an unknown word", b"P A now"),
    ("an unknown key", b"P A colour=red"),
    ("a key without value", b"P A path="),
    ("a key alone", b"P A path"),
    ("a key in capitals", b"P A PATH=kernel"),
    ("an unknown path", b"P A path=foo"),
    ("a path with more letters", b"P A path=kernels"),
    ("path twice", b"P A path=kernel path=kernel"),
    ("reclaim twice", b"P A reclaim=0 reclaim=1"),
    ("reclaim=2", b"P A reclaim=2"),
    ("reclaim=-1", b"P A reclaim=-1"),
    ("reclaim=01", b"P A reclaim=01"),
    ("reclaim without value", b"P A reclaim="),
    ("reclaim=yes", b"P A reclaim=yes"),
    ("spaces around the equals sign", b"P A path = kernel"),
    ("one word too many", b"P A 4096 path=kernel reclaim=0 more"),
    ("a NUL at the end", b"P A\0"),
    ("a NUL in the middle", b"P\0A"),
    ("a NUL after a newline", b"P A\n\0"),
    ("no UTF-8", b"P A \xff\xfe"),
    ("UTF-8 digits", "P \u{0661}".as_bytes()),
    ("a newline in the middle", b"P\nA"),
    ("two requests", b"P A\nP A\n"),
    ("two newlines", b"P A\n\n"),
];

/// The folio that a request must not touch, or must: of 16 pages where it can be swapped.
fn one_folio(family: &Family) -> Result<Shape<'_>, Stop> {
    shape::exclusive(family, whole::order_or_page(4)?, Mapping::Pte)
}

/// The bytes of a form, with the real pid and address.
fn filled(form: &[u8], pid: i32, address: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (i, byte) in form.iter().enumerate() {
        // `PATH` is a word, not a place.
        match byte {
            b'P' if form.get(i + 1) != Some(&b'A') => bytes.extend(pid.to_string().bytes()),
            b'A' if i == 0 || form[i - 1] != b'P' => {
                bytes.extend(format!("{address:#x}").bytes());
            }
            byte => bytes.push(*byte),
        }
    }
    bytes
}

fn refused(checks: &mut Checks, form: &'static [u8]) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let bytes = filled(form, shape.subjects[0].pid, shape.folio.address);
    check_refused(checks, &shape, &bytes)
}

fn refused_bytes(checks: &mut Checks, form: &dyn Fn(&Request) -> Vec<u8>) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, Path::Batched);
    check_refused(checks, &shape, &form(&request))
}

fn check_refused(checks: &mut Checks, shape: &Shape<'_>, bytes: &[u8]) -> Result<(), Stop> {
    let before = (shape.look()?, trigger::stats()?);
    let errno = Trigger::open()?.write(bytes)?;
    let after = (shape.look()?, trigger::stats()?);
    checks.eq("errno", errno_name(errno), "EINVAL".into());
    untouched::check(checks, &shape.folio, &before.0, &after.0);
    check_stats(checks, &before.1, &after.1);
    Ok(())
}

/// A malformed request may be counted as a request and as a failure of its kind, and nowhere else.
fn check_stats(checks: &mut Checks, before: &Report, after: &Report) {
    for (key, value) in after.iter() {
        if key != "requests" && !key.starts_with("failed_") {
            checks.eq(&format!("stats {key}"), Some(value), before.get(key));
        }
    }
}

fn empty_write(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let before = (shape.look()?, trigger::stats()?);
    let errno = errno_name(Trigger::open()?.write(b"")?);
    checks.that(errno == "ok" || errno == "EINVAL", || errno);
    untouched::check(checks, &shape.folio, &before.0, &shape.look()?);
    check_stats(checks, &before.1, &trigger::stats()?);
    Ok(())
}

fn read_first(checks: &mut Checks) -> Result<(), Stop> {
    let text = Trigger::open()?.read(4096)?;
    checks.eq("odd lines", Report::parse(&text).odd_lines, Vec::new());
    Ok(())
}

fn modes(checks: &mut Checks) -> Result<(), Stop> {
    for (path, mode) in [(UNMAP, 0o600), (STATS, 0o400)] {
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

fn nobody_but_root(checks: &mut Checks) -> Result<(), Stop> {
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

fn accepted(checks: &mut Checks) -> Result<(), Stop> {
    let forms: [(&str, bool); 8] = [
        ("PID ADDR", false),
        ("PID ADDR\n", false),
        ("PID DECIMAL\n", false),
        ("  PID   ADDR  \n", false),
        ("PID ADDR LEN\n", false),
        ("PID ADDR reclaim=1\n", true),
        ("PID ADDR reclaim=1 path=kernel\n", true),
        ("PID ADDR LEN path=batched reclaim=0\n", false),
    ];
    for (form, reclaim) in forms {
        checks.context(format!("{form:?}"));
        let family = Family::new(1)?;
        let shape = one_folio(&family)?;
        let text = form
            .replace("PID", &shape.subjects[0].pid.to_string())
            .replace("ADDR", &format!("{:#x}", shape.folio.address))
            .replace("DECIMAL", &shape.folio.address.to_string())
            .replace("LEN", &shape.folio.len().to_string());
        let before = shape.look()?;
        let file = Trigger::open()?;
        checks.eq(
            "errno",
            errno_name(file.write(text.as_bytes())?),
            "ok".into(),
        );
        let after = shape.look()?;
        let all = after.processes[0].pages.iter().all(|e| e.swapped());
        checks.that(all, || "not all pages are swapped".into());
        let report = Report::parse(&file.read(4096)?);
        let path = match form.contains("path=kernel") {
            true => "kernel",
            false => "batched",
        };
        checks.eq("report path", report.get("path"), Some(path));
        let number = |key| report.number(key);
        checks.eq("report reclaim", number("reclaim"), Some(reclaim.into()));
        let out = after.system.moved(&before.system, "pswpout");
        let want = if reclaim { shape.folio.pages } else { 0 };
        checks.eq("pswpout", out, want as i64);
    }
    Ok(())
}

fn report_in_pieces(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, Path::Batched);
    let file = Trigger::open()?;
    file.write(request.to_string().as_bytes())?;
    let whole = file.read(1 << 16)?;
    checks.eq("1 byte a read", file.read(1)?, whole.clone());
    checks.eq("7 bytes a read", file.read(7)?, whole.clone());
    checks.that(whole.ends_with('\n'), || "no newline at the end".into());
    let report = Report::parse(&whole);
    checks.eq("odd lines", &report.odd_lines, &Vec::new());
    for key in [
        "pid",
        "address",
        "length",
        "path",
        "reclaim",
        "folios",
        "pages",
        "unmapped",
        "failed",
        "batches",
        "runs",
        "restored",
        "reclaimed",
        "result",
    ] {
        checks.that(report.get(key).is_some(), || {
            format!("no {key} in the report")
        });
    }
    Ok(())
}

fn write_at_offset(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, Path::Batched);
    let file = Trigger::open()?;
    // After a first request the position is odd as well, so this must be a request like any other.
    let errno = file.write_at(request.to_string().as_bytes(), 7)?;
    checks.eq("errno", errno_name(errno), "ok".into());
    let report = Report::parse(&file.read(4096)?);
    checks.eq("report result", report.get("result"), Some("ok"));
    Ok(())
}

fn two_files(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(2)?;
    let shapes = [one_folio(&family)?, one_folio(&family)?];
    let files = [Trigger::open()?, Trigger::open()?];
    for (file, shape) in files.iter().zip(&shapes) {
        let request = Request::new(shape.subjects[0].pid, shape.folio.address, Path::Batched);
        file.write(request.to_string().as_bytes())?;
    }
    // A refused request on one changes nothing for the other.
    let gone = format!("{} 0x1000", shapes[1].subjects[0].pid);
    files[1].write(gone.as_bytes())?;
    let read = |i: usize| -> Result<Report, Stop> { Ok(Report::parse(&files[i].read(64)?)) };
    let pid = |i: usize| Some(shapes[i].subjects[0].pid as u64);
    checks.eq("pid on the first", read(0)?.number("pid"), pid(0));
    checks.eq("result on the first", read(0)?.get("result"), Some("ok"));
    checks.eq("pid on the second", read(1)?.number("pid"), pid(1));
    checks.eq(
        "result on the second",
        read(1)?.get("result"),
        Some("ENOENT"),
    );
    Ok(())
}

fn fresh_file(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, Path::Kernel);
    let file = Trigger::open()?;
    file.write(request.to_string().as_bytes())?;
    let own = file.read(4096)?;
    checks.that(!own.is_empty(), || "no report".into());
    checks.eq("report on a fresh file", Trigger::open()?.read(4096)?, own);
    Ok(())
}

fn totals(checks: &mut Checks) -> Result<(), Stop> {
    for path in Path::BOTH {
        checks.context(path.to_string());
        let family = Family::new(1)?;
        let shape = one_folio(&family)?;
        let before = trigger::stats()?;
        let pid = shape.subjects[0].pid;
        let answer = trigger::request(&Request::new(pid, shape.folio.address, path))?;
        let after = trigger::stats()?;
        checks.eq("odd lines", &after.odd_lines, &Vec::new());
        let moved = |key: &str| Some(after.number(key)? - before.number(key)?);
        checks.eq("requests", moved("requests"), Some(1));
        for key in [
            "folios",
            "pages",
            "unmapped",
            "failed",
            "batches",
            "runs",
            "restored",
            "reclaimed",
        ] {
            checks.eq(key, moved(key), answer.report.number(key));
        }
        let batched = u64::from(path == Path::Batched);
        for len in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048] {
            let want = if len == shape.folio.pages { batched } else { 0 };
            let key = format!("batch_len_{len}");
            checks.eq(&key, moved(&key), Some(want));
        }
    }
    Ok(())
}

fn pid_namespace(checks: &mut Checks) -> Result<(), Stop> {
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

fn no_such_process(checks: &mut Checks) -> Result<(), Stop> {
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
