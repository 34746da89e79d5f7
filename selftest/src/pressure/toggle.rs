// SPDX-License-Identifier: GPL-2.0

//! Live mode, and the module, switched on and off while the kernel reclaims.

use std::fmt;

use crate::live;
use crate::module::{self, Module};
use crate::trigger;
use crate::verdict::{Checks, Stop};

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

    /// Whether it takes the module out.
    pub fn reloads(&self) -> bool {
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
        module::unload()?;
        checks.eq("left of the module", module::traces(), vec![]);
        Module::open()?.load(if on { "live=1" } else { "live=0" })?;
        checks.eq("live after loading", live::read()?.trim() == "1", on);
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
