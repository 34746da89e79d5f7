// SPDX-License-Identifier: GPL-2.0

//! Calls of kernel functions that this process makes, by kprobe events
//! (Documentation/trace/kprobetrace.rst).

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;

const TRACING: &str = "/sys/kernel/tracing";
const GROUP: &str = "selftest";

/// A function, and what of its arguments is noted, as `%x3`; nothing if that is empty.
pub type Function = (&'static str, &'static str);

/// A watch on some functions, until it is dropped.
pub struct Calls {
    instance: PathBuf,
    functions: Vec<Function>,
}

impl Calls {
    /// Begins to watch.
    pub fn watch(functions: &[Function]) -> io::Result<Self> {
        let instance = PathBuf::from(format!("{TRACING}/instances/{GROUP}"));
        fs::create_dir(&instance)?;
        let mut calls = Calls {
            instance,
            functions: Vec::new(),
        };
        for (name, argument) in functions {
            let note = match argument.is_empty() {
                true => String::new(),
                false => format!(" value={argument}:u32"),
            };
            probe(&format!("p:{GROUP}/{name} {name}{note}\n"))?;
            calls.functions.push((name, argument));
        }
        calls.set("set_event_pid", &std::process::id().to_string())?;
        calls.set(&format!("events/{GROUP}/enable"), "1")?;
        Ok(calls)
    }

    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        fs::write(self.instance.join(file), value)
    }

    /// Stops watching, and returns for each function what was noted, call by call.
    pub fn taken(self) -> io::Result<Vec<Vec<u64>>> {
        self.set(&format!("events/{GROUP}/enable"), "0")?;
        let text = fs::read_to_string(self.instance.join("trace"))?;
        let of = |(name, _): &Function| {
            let mark = format!(": {name}: (");
            let lines = text.lines().filter(|l| l.contains(&mark));
            lines.map(value).collect()
        };
        Ok(self.functions.iter().map(of).collect())
    }
}

/// The value at the end of an event's line, or 0 where none is noted.
fn value(line: &str) -> u64 {
    let word = line.rsplit_once("value=").map(|(_, word)| word.trim());
    word.and_then(|w| w.parse().ok()).unwrap_or(0)
}

fn probe(command: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .append(true)
        .open(format!("{TRACING}/kprobe_events"))?;
    file.write_all(command.as_bytes())
}

impl Drop for Calls {
    fn drop(&mut self) {
        let _ = self.set(&format!("events/{GROUP}/enable"), "0");
        let _ = fs::remove_dir(&self.instance);
        for (name, _) in &self.functions {
            let _ = probe(&format!("-:{GROUP}/{name}\n"));
        }
    }
}
