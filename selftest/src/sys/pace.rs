// SPDX-License-Identifier: GPL-2.0

//! How long things may take, for the kernel at hand.

/// How many times longer than on others things may take on the kernel at hand: qemu/init says.
fn slowness() -> u32 {
    let slow = std::env::var("ANON_TTU_SLOW");
    slow.ok().and_then(|s| s.parse().ok()).unwrap_or(1)
}

/// A time limit, for the kernel at hand.
pub fn patience(limit: std::time::Duration) -> std::time::Duration {
    limit * slowness()
}

/// How often to repeat something that shall be done `times` times where that is fast.
pub fn repeats(times: u64) -> u64 {
    times.div_ceil(slowness().into())
}
