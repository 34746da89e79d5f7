// SPDX-License-Identifier: GPL-2.0

//! Runs each test in a process of its own, with a time limit.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use crate::knobs::{self, Quiet, Saved};
use crate::ktap::{Ktap, Outcome};
use crate::observe::mthp;
use crate::paths::Paths;
use crate::shape::whole;
use crate::sys::{self, End};
use crate::verdict::{Checks, Stop};

/// How long one test may take, on a kernel that is not slow.
const LIMIT: Duration = Duration::from_secs(300);
/// Diagnostics of one test beyond this are dropped: the first ones tell what is wrong.
const MOST_LINES: usize = 60;

const CODE_OK: i32 = 0;
const CODE_NOT_OK: i32 = 1;
const CODE_SKIP: i32 = 4;

/// A test: its name, and what it does.
pub struct Test {
    name: String,
    body: Box<Body>,
}

type Body = dyn Fn(&mut Checks) -> Result<(), Stop>;

impl Test {
    /// Its name: the group, a colon, and what is tested.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A test.
    pub fn new(
        name: impl Into<String>,
        body: impl Fn(&mut Checks) -> Result<(), Stop> + 'static,
    ) -> Self {
        Test {
            name: name.into(),
            body: Box::new(body),
        }
    }
}

/// The settings of this machine while tests run.
pub struct Session {
    saved: Saved,
    _quiet: Option<Quiet>,
}

impl Session {
    /// Makes them, and finds out what this kernel can do.
    pub fn begin() -> Self {
        let quiet = Quiet::new().map_err(|e| println!("# {e}")).ok();
        let saved = Saved::save();
        mthp::open();
        whole::find_out();
        println!("# large folios are swapped whole: {:?}", whole::swapped());
        saved.restore().iter().for_each(|l| println!("# {l}"));
        // From now on, not a line in the kernel's log each time that the lists are emptied.
        let _ = knobs::write("/proc/sys/vm/drop_caches", "4");
        Session {
            saved,
            _quiet: quiet,
        }
    }

    /// Runs a test: how it ended, and its diagnostics.
    pub fn judge(&self, test: &Test) -> (Outcome, Vec<String>) {
        let (mut outcome, mut lines) = run_one(test);
        let left = self.saved.restore();
        if !left.is_empty() {
            outcome = Outcome::NotOk;
            lines.extend(left);
        }
        (outcome, lines)
    }
}

/// Runs the tests and prints KTAP; true if nothing failed. With `first_failure` it stops there.
pub fn run(tests: &[Test], first_failure: bool) -> bool {
    let session = Session::begin();
    let mut ktap = Ktap::begin(tests.len());
    for test in tests {
        let before = Paths::look();
        let (outcome, mut lines) = session.judge(test);
        // For the table of results, which says by which code something was tried.
        lines.push(format!("paths: {}", Paths::look().since(before)));
        let failed = matches!(outcome, Outcome::NotOk);
        ktap.result(&test.name, outcome, &lines);
        if failed && first_failure {
            break;
        }
    }
    ktap.end()
}

fn run_one(test: &Test) -> (Outcome, Vec<String>) {
    try_run_one(test).unwrap_or_else(|e| (Outcome::NotOk, vec![e.to_string()]))
}

fn try_run_one(test: &Test) -> std::io::Result<(Outcome, Vec<String>)> {
    let (mut near, far) = sys::pipe()?;
    let Some(pid) = sys::fork()? else {
        drop(near);
        child(test, far)
    };
    drop(far);
    let mut text = Vec::new();
    let start = Instant::now();
    let mut in_time = true;
    let limit = sys::patience(LIMIT);
    loop {
        let left = limit.saturating_sub(start.elapsed());
        if !sys::readable(near.as_fd(), left.as_millis() as i32)? {
            in_time = false;
            break;
        }
        let mut part = [0; 4096];
        match near.read(&mut part)? {
            0 => break,
            n => text.extend_from_slice(&part[..n]),
        }
    }
    if !in_time {
        sys::kill(-pid);
    }
    let end = sys::wait(pid, true)?;
    // What the test left behind of its own processes.
    sys::kill(-pid);

    let text = String::from_utf8_lossy(&text);
    let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
    let outcome = match end {
        Some(End::Code(CODE_OK)) => Outcome::Ok,
        Some(End::Code(CODE_SKIP)) => Outcome::Skip(lines.pop().unwrap_or_default()),
        Some(End::Code(CODE_NOT_OK)) => Outcome::NotOk,
        _ if !in_time => {
            lines.push(format!("no end within {} s", limit.as_secs()));
            Outcome::NotOk
        }
        other => {
            lines.push(format!("the test itself died: {other:?}"));
            Outcome::NotOk
        }
    };
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(format!("({more} more lines)"));
    }
    Ok((outcome, lines))
}

fn child(test: &Test, mut out: std::fs::File) -> ! {
    sys::own_group();
    sys::die_with_parent();
    // With its subjects: to wake one on another CPU costs more than all that it is told to do.
    sys::stay_on_first_cpu();
    let mut checks = Checks::default();
    let stop = (test.body)(&mut checks).err();
    for line in checks.notes().iter().chain(checks.broken()) {
        let _ = writeln!(out, "{line}");
    }
    let code = match stop {
        Some(Stop::Fail(reason)) => {
            let _ = writeln!(out, "stopped: {reason}");
            CODE_NOT_OK
        }
        _ if !checks.broken().is_empty() => CODE_NOT_OK,
        Some(Stop::Skip(reason)) => {
            let _ = writeln!(out, "{}", reason.replace('\n', " "));
            CODE_SKIP
        }
        None if checks.done() == 0 => {
            let _ = writeln!(out, "the test made no check");
            CODE_NOT_OK
        }
        None => CODE_OK,
    };
    sys::exit_now(code)
}
