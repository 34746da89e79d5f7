// SPDX-License-Identifier: GPL-2.0

//! Chooses which architecture's parts of the module are tested (`scripts/host-tests` does each).

fn main() {
    let arm64 = std::env::var_os("CARGO_FEATURE_ARM64").is_some();
    let arch = if arm64 { "ARM64" } else { "X86" };
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-cfg=CONFIG_{arch}");
    println!("cargo:rustc-cfg=CONFIG_MMU_NOTIFIER");
}
