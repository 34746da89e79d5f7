// SPDX-License-Identifier: GPL-2.0

//! Live mode, and the module, switched on and off while the kernel reclaims.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;

use crate::live;
use crate::trigger;
use crate::verdict::{Checks, Stop};

/// The module's file in a guest.
const MODULE: &str = "/run/guest/anon_ttu.ko";

/// What has been switched, and how often it shall be.
pub struct Toggle {
    times: u64,
    /// Whether the module goes and comes back after each switch.
    reload: bool,
    switched: u64,
    taken: u64,
}

impl Toggle {
    /// Switches live mode `times` times, and reloads the module as often.
    pub fn new(times: u64) -> Self {
        Toggle {
            times,
            reload: true,
            switched: 0,
            taken: 0,
        }
    }

    /// Switches live mode as long as the pressure lasts, and leaves the module.
    pub fn live_only() -> Self {
        Toggle {
            reload: false,
            ..Toggle::new(u64::MAX)
        }
    }

    /// Whether it is over when all is switched.
    pub(super) fn ends(&self) -> bool {
        self.reload
    }

    /// Switches once; false if it has been enough.
    pub fn step(&mut self, checks: &mut Checks) -> Result<bool, Stop> {
        if self.switched == self.times {
            checks.that(self.taken > 0, || "live mode took no call".into());
            return Ok(false);
        }
        let on = live::read()?.trim() != "1";
        live::set(on)?;
        self.switched += 1;
        if self.reload {
            self.reload(checks, on)?;
        }
        Ok(true)
    }

    /// Takes the module out with live mode as it is, on or off in turn, and puts it in again so.
    fn reload(&mut self, checks: &mut Checks, on: bool) -> Result<(), Stop> {
        self.taken += trigger::stats()?.number("live_taken").unwrap_or(0);
        command("rmmod", &["anon_ttu"])?;
        let there = Path::new("/sys/module/anon_ttu").exists();
        checks.that(!there, || "the module is there after rmmod".into());
        let parameter = if on { "live=1" } else { "live=0" };
        command("insmod", &[MODULE, parameter])?;
        checks.eq("live after insmod", live::read()?.trim() == "1", on);
        Ok(())
    }
}

impl fmt::Display for Toggle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Toggle {
            switched, taken, ..
        } = self;
        if !self.reload {
            return write!(f, "{switched} switches");
        }
        write!(
            f,
            "{switched} switches, {switched} reloads, {taken} calls taken"
        )
    }
}

fn command(name: &str, args: &[&str]) -> Result<(), Stop> {
    let output = Command::new(name).args(args).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{name} {}: {}",
            args.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        ))
        .into()),
    }
}
