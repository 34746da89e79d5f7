// SPDX-License-Identifier: GPL-2.0

//! Runs KSM until it has looked at everything often enough to merge what it can.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::knobs;
use crate::verdict::Stop;

const KSM: &str = "/sys/kernel/mm/ksm";
/// It takes one scan to see a page, one to see that it does not change, one to merge it.
const SCANS: u64 = 3;
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs it.
pub fn run() -> Result<(), Stop> {
    let no = |e: std::io::Error| Stop::Skip(format!("no KSM: {e}"));
    let knob = |name: &str| format!("{KSM}/{name}");
    let scans = || -> Result<u64, Stop> {
        let text = knobs::read(knob("full_scans")).map_err(no)?;
        text.parse()
            .map_err(|_| Stop::Fail(format!("KSM: {text} scans")))
    };
    for (name, value) in [("sleep_millisecs", "1"), ("pages_to_scan", "1000")] {
        knobs::write(knob(name), value).map_err(no)?;
    }
    // The scan that is under way when it starts has begun before.
    let enough = scans()? + SCANS + 1;
    knobs::write(knob("run"), "1").map_err(no)?;
    let begun = Instant::now();
    while scans()? < enough {
        if begun.elapsed() > PATIENCE {
            return Err(Stop::Skip("KSM does not come to an end".into()));
        }
        sleep(Duration::from_millis(1));
    }
    // What is merged stays so, and nothing moves any more.
    Ok(knobs::write(knob("run"), "0")?)
}
