// SPDX-License-Identifier: GPL-2.0

//! One cell of the grid: what is measured in it, several times, and the line that says so.

use std::io::{Read, Write};

use super::case::Case;
use crate::shape::Mapping;
use crate::sys;
use crate::trigger::Path;
use crate::verdict::Stop;

/// What one measurement gave.
pub struct Sample {
    /// Nanoseconds of the guest's clock.
    pub ns: u64,
    /// Page table entries that were unmapped, of all processes.
    pub entries: u64,
}

/// A place in the grid.
pub struct Cell {
    /// `inside` or `outside`.
    pub what: &'static str,
    /// How the folio is mapped.
    pub case: Case,
    /// Its size in KiB.
    pub kib: usize,
    /// How the page table maps it.
    pub mapping: Mapping,
    /// Who unmaps it.
    pub path: Path,
}

impl Cell {
    /// Warms up once, measures so often, and prints the line: numbers, or why there are none.
    /// False if that was a failure.
    pub fn fill(
        &self,
        repeats: usize,
        warm_up: &dyn Fn() -> Result<(), Stop>,
        measure: &dyn Fn() -> Result<Sample, Stop>,
    ) -> bool {
        let samples = in_a_process(&|| warm_up().map(|()| String::new())).and_then(|_| {
            (0..repeats)
                .map(|_| sample_in_a_process(measure))
                .collect::<Result<Vec<Sample>, Stop>>()
        });
        match samples {
            Ok(samples) => self.print_numbers(&samples),
            Err(stop) => return self.refuse(&stop),
        }
        true
    }

    /// Prints the line of a cell that has no number; false if that is a failure.
    pub fn refuse(&self, stop: &Stop) -> bool {
        let (why, failed) = match stop {
            Stop::Skip(why) => (why, false),
            Stop::Fail(why) => (why, true),
        };
        self.print(&format!("\"failed\":{failed},\"why\":{}", quoted(why)));
        !failed
    }

    fn print_numbers(&self, samples: &[Sample]) {
        let mut each: Vec<f64> = samples
            .iter()
            .map(|s| s.ns as f64 / s.entries as f64)
            .collect();
        each.sort_by(f64::total_cmp);
        let raw: Vec<String> = samples.iter().map(|s| s.ns.to_string()).collect();
        self.print(&format!(
            "\"entries\":{},\"ns\":[{}],\"median\":{:.1},\"least\":{:.1},\"most\":{:.1}",
            samples[0].entries,
            raw.join(","),
            each[each.len() / 2],
            each[0],
            each[each.len() - 1],
        ));
    }

    fn print(&self, rest: &str) {
        let mapping = match self.mapping {
            Mapping::Pte => "pte",
            Mapping::Pmd => "pmd",
        };
        println!(
            "{{\"what\":\"{}\",\"case\":\"{}\",\"kib\":{},\"mapping\":\"{mapping}\",\"path\":\"{}\",{rest}}}",
            self.what,
            self.case.name(),
            self.kib,
            self.path,
        );
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn sample_in_a_process(measure: &dyn Fn() -> Result<Sample, Stop>) -> Result<Sample, Stop> {
    let text = in_a_process(&|| measure().map(|s| format!("{} {}", s.ns, s.entries)))?;
    let mut numbers = text.split(' ').map_while(|n| n.parse().ok());
    match (numbers.next(), numbers.next()) {
        (Some(ns), Some(entries)) if entries > 0 => Ok(Sample { ns, entries }),
        _ => Err(Stop::Fail(format!("no measurement: '{text}'"))),
    }
}

/// Does something in a process of its own, which has no more memory than the one before.
fn in_a_process(what: &dyn Fn() -> Result<String, Stop>) -> Result<String, Stop> {
    let (mut near, mut far) = sys::pipe()?;
    let Some(pid) = sys::fork()? else {
        drop(near);
        sys::stay_on_first_cpu();
        let text = match what() {
            Ok(text) => format!("+{text}"),
            Err(Stop::Skip(why)) => format!("?{why}"),
            Err(Stop::Fail(why)) => format!("!{why}"),
        };
        sys::exit_now(i32::from(far.write_all(text.as_bytes()).is_err()))
    };
    drop(far);
    let mut text = String::new();
    near.read_to_string(&mut text)?;
    let end = sys::wait(pid, true)?;
    match text.split_at_checked(1) {
        Some(("+", text)) => Ok(text.into()),
        Some(("?", why)) => Err(Stop::Skip(why.into())),
        Some(("!", why)) => Err(Stop::Fail(why.into())),
        _ => Err(Stop::Fail(format!("the measuring process died: {end:?}"))),
    }
}
