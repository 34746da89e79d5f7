// SPDX-License-Identifier: GPL-2.0

//! Chooses which architecture's parts of the module are tested (`scripts/host-tests` does each).

fn main() {
    let arch = std::env::var("HOST_TESTS_ARCH").unwrap_or_else(|_| "X86".into());
    println!("cargo:rerun-if-env-changed=HOST_TESTS_ARCH");
    println!("cargo:rustc-cfg=CONFIG_{arch}");
    println!("cargo:rustc-cfg=CONFIG_MMU_NOTIFIER");
}
