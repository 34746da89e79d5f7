// SPDX-License-Identifier: GPL-2.0

//! What unmapping costs, in nanoseconds of the guest's clock.
//!
//! Where that clock counts instructions (`qemu/run --icount`), so do these numbers.

mod inside;
mod outside;

use std::io::{Read, Write};

use crate::observe::mthp;
use crate::sys;
use crate::verdict::Stop;

pub use inside::run as inside;
pub use outside::run as outside;

/// Several measurements of one thing: the middle one, the least, and the most.
struct Spread {
    middle: f64,
    least: f64,
    most: f64,
}

impl Spread {
    /// Measures so often, each time in a process of its own, which has no more memory than the one
    /// before.
    fn of(repeats: usize, measure: &dyn Fn() -> Result<f64, Stop>) -> Result<Self, Stop> {
        let all: Result<Vec<f64>, Stop> = (0..repeats).map(|_| in_a_process(measure)).collect();
        let mut all = all?;
        all.sort_by(f64::total_cmp);
        match (all.get(repeats / 2), all.first(), all.last()) {
            (Some(&middle), Some(&least), Some(&most)) => Ok(Spread {
                middle,
                least,
                most,
            }),
            _ => Err(Stop::Fail("nothing was measured".into())),
        }
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (least, most) = (self.least, self.most);
        write!(f, "{:10.1}  ({least:.1} .. {most:.1})", self.middle)
    }
}

fn in_a_process(measure: &dyn Fn() -> Result<f64, Stop>) -> Result<f64, Stop> {
    let (mut near, mut far) = sys::pipe()?;
    let Some(pid) = sys::fork()? else {
        drop(near);
        sys::stay_on_first_cpu();
        let text = match measure() {
            Ok(value) => value.to_string(),
            Err(stop) => format!("{stop:?}"),
        };
        sys::exit_now(i32::from(far.write_all(text.as_bytes()).is_err()))
    };
    drop(far);
    let mut text = String::new();
    near.read_to_string(&mut text)?;
    sys::wait(pid, true)?;
    text.parse().map_err(|_| Stop::Fail(text))
}

/// The orders that are measured.
fn orders() -> Vec<u32> {
    mthp::open();
    mthp::orders()
}
