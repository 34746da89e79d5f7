// SPDX-License-Identifier: GPL-2.0

//! DAMON's files in sysfs: a scheme that pages out frames that nobody touches.

use std::fs;
use std::io;

use crate::knobs;
use crate::shape::bytes;
use crate::verdict::Stop;

const ADMIN: &str = "/sys/kernel/mm/damon/admin/kdamonds";
const CONTEXT: &str = "0/contexts/0";
const SCHEME: &str = "0/contexts/0/schemes/0";

/// A kernel thread of DAMON that watches page frames, and pages them out; it ends when this is
/// dropped.
pub struct Damon(());

impl Damon {
    /// Starts it, for `pages` frames from `pfn` on. A folio that reaches into them goes whole.
    pub fn page_out(pfn: u64, pages: usize) -> Result<Self, Stop> {
        if !fs::exists(ADMIN)? {
            return Err(Stop::Skip("no DAMON in this kernel".into()));
        }
        // From here on it is to be ended.
        let damon = Damon(());
        set("nr_kdamonds", "1")?;
        set("0/contexts/nr_contexts", "1")?;
        set(&format!("{CONTEXT}/operations"), "paddr")?;
        set(&format!("{CONTEXT}/targets/nr_targets"), "1")?;
        let regions = format!("{CONTEXT}/targets/0/regions");
        set(&format!("{regions}/nr_regions"), "1")?;
        let start = pfn * bytes(1);
        set(&format!("{regions}/0/start"), &start.to_string())?;
        let end = start + bytes(pages);
        set(&format!("{regions}/0/end"), &end.to_string())?;
        set(&format!("{CONTEXT}/schemes/nr_schemes"), "1")?;
        set(&format!("{SCHEME}/action"), "pageout")?;
        // Of any size and age, and however often it was touched: pages that are young stay anyway.
        for what in ["sz", "nr_accesses", "age"] {
            let most = u32::MAX.to_string();
            set(&format!("{SCHEME}/access_pattern/{what}/max"), &most)?;
        }
        set("0/state", "on")?;
        Ok(damon)
    }

    /// How often it has applied its scheme to a region.
    pub fn applied(&self) -> io::Result<u64> {
        set("0/state", "update_schemes_stats")?;
        let text = knobs::read(format!("{ADMIN}/{SCHEME}/stats/nr_applied"))?;
        text.parse().map_err(io::Error::other)
    }
}

impl Drop for Damon {
    fn drop(&mut self) {
        // It may not have come to that.
        let _ = set("0/state", "off");
        let _ = set("nr_kdamonds", "0");
    }
}

fn set(name: &str, value: &str) -> io::Result<()> {
    knobs::write(format!("{ADMIN}/{name}"), value)
}
