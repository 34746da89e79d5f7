// SPDX-License-Identifier: GPL-2.0

//! The module's files: requests, their reports, and the totals.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use crate::sys;

/// The file that takes requests.
pub const UNMAP: &str = "/sys/kernel/debug/anon_ttu/unmap";
/// The file with the totals since load.
pub const STATS: &str = "/sys/kernel/debug/anon_ttu/stats";

/// Which code unmaps the folio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// The kernel's own `try_to_unmap()`, called by the module.
    Kernel,
    /// The module's batched path.
    Batched,
}

impl Path {
    /// Both.
    pub const BOTH: [Path; 2] = [Path::Kernel, Path::Batched];
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Path::Kernel => "kernel",
            Path::Batched => "batched",
        })
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The process.
    pub pid: i32,
    /// An address inside the folio.
    pub address: u64,
    /// The length of a range of folios.
    pub len: Option<u64>,
    /// Which code unmaps.
    pub path: Path,
    /// Write the folio to swap and free it.
    pub reclaim: bool,
}

impl Request {
    /// A request for the one folio at `address`, which stays in the swap cache.
    pub fn new(pid: i32, address: u64, path: Path) -> Self {
        Request {
            pid,
            address,
            len: None,
            path,
            reclaim: false,
        }
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:#x}", self.pid, self.address)?;
        if let Some(len) = self.len {
            write!(f, " {len:#x}")?;
        }
        write!(f, " path={} reclaim={}", self.path, u8::from(self.reclaim))
    }
}

/// `key value` lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    values: BTreeMap<String, String>,
    /// Lines that are not of that form, or say a key twice.
    pub odd_lines: Vec<String>,
}

impl Report {
    /// The keys of a report, in their order.
    pub const KEYS: [&'static str; 15] = [
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
        "unmap_ns",
        "result",
    ];

    /// Takes the lines apart.
    pub fn parse(text: &str) -> Self {
        let mut report = Report::default();
        for line in text.lines() {
            match line.split_once(' ') {
                Some((key, value)) if !report.values.contains_key(key) => {
                    report.values.insert(key.into(), value.into());
                }
                _ => report.odd_lines.push(line.into()),
            }
        }
        report
    }

    /// All keys and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// The value of a key as a number.
    pub fn number(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(|v| v.parse().ok())
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 0, or the error number of the write.
    pub errno: i32,
    /// The report of this request.
    pub report: Report,
}

/// An open `unmap` file.
pub struct Trigger {
    file: File,
}

impl Trigger {
    /// Opens it.
    pub fn open() -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(UNMAP)?;
        Ok(Trigger { file })
    }

    /// Makes one write of these very bytes: 0 or the error number.
    pub fn write(&self, bytes: &[u8]) -> io::Result<i32> {
        match (&self.file).write(bytes) {
            Ok(n) if n == bytes.len() => Ok(0),
            Ok(n) => Err(io::Error::other(format!(
                "short write: {n} of {} bytes",
                bytes.len()
            ))),
            Err(e) => e.raw_os_error().ok_or(e),
        }
    }

    /// As `write()`, at an offset.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<i32> {
        match self.file.write_at(bytes, offset) {
            Ok(n) if n == bytes.len() => Ok(0),
            Ok(n) => Err(io::Error::other(format!("short write: {n} bytes"))),
            Err(e) => e.raw_os_error().ok_or(e),
        }
    }

    /// Reads the report from the start, `step` bytes a read.
    pub fn read(&self, step: usize) -> io::Result<String> {
        let mut text = Vec::new();
        let mut part = vec![0; step];
        loop {
            let n = self.file.read_at(&mut part, text.len() as u64)?;
            if n == 0 {
                return Ok(String::from_utf8_lossy(&text).into_owned());
            }
            text.extend_from_slice(&part[..n]);
        }
    }

    /// Makes a request and reads its report.
    ///
    /// It is made on another CPU than the one where the process ran, so that translations must be
    /// flushed over there.
    pub fn request(&self, request: &Request) -> io::Result<Answer> {
        let text = format!("{request}\n");
        let errno = sys::on_another_cpu(|| self.write(text.as_bytes()))?;
        let report = Report::parse(&self.read(4096)?);
        Ok(Answer { errno, report })
    }
}

/// Makes a request on a file opened for it alone.
pub fn request(request: &Request) -> io::Result<Answer> {
    Trigger::open()?.request(request)
}

/// Reads the totals.
pub fn stats() -> io::Result<Report> {
    Ok(Report::parse(&sys::read_text(STATS)?))
}
