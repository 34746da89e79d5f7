// SPDX-License-Identifier: GPL-2.0

//! What the entries of a batch may differ in, read from the C helper that says so.

use super::pte::{pteval_t, ACCESSED, CONT, DIRTY, SOFT_DIRTY, UFFD, WRITE};
use std::sync::LazyLock;

/// The file that the module is built from.
const SOURCE: &str = include_str!("../../../rust/helpers/pgtable.c");

/// The bits that a function of the kernel takes away from an entry.
fn taken_by(function: &str) -> u64 {
    match function {
        "pte_mknoncont" => CONT,
        "pte_mkold" => ACCESSED,
        "pte_mkclean" => DIRTY,
        "pte_wrprotect" => WRITE,
        "pte_clear_soft_dirty" => SOFT_DIRTY,
        "pte_clear_uffd" => UFFD,
        _ => panic!("the model does not know {function}()"),
    }
}

/// The bits that all functions together take away that `anon_ttu_batch_key()` calls.
fn taken(contpte: bool) -> u64 {
    let body = SOURCE
        .split_once("anon_ttu_batch_key(pte_t pte, bool contpte)\n{\n")
        .and_then(|(_, rest)| rest.split_once("\n}\n"))
        .map(|(body, _)| body)
        .expect("no anon_ttu_batch_key()");
    let mut compiled = true;
    let mut done = true;
    let mut bits = 0;
    for line in body.lines() {
        if compiled && line.trim() == "if (!contpte)" {
            done = !contpte;
            continue;
        }
        match line {
            "#ifdef CONFIG_ARM64" => compiled = cfg!(CONFIG_ARM64),
            "#endif" => compiled = true,
            _ if !compiled => {}
            _ if !done => done = true,
            _ => {
                assert!(!line.starts_with('#'), "the model does not know {line}");
                for (end, _) in line.match_indices('(') {
                    let name = line[..end].rsplit(|c: char| !c.is_alphanumeric() && c != '_');
                    bits |= taken_by(name.into_iter().next().unwrap_or_default());
                }
            }
        }
    }
    bits
}

pub(crate) unsafe fn pte_batch_mask(contpte: bool) -> pteval_t {
    static MASKS: LazyLock<[u64; 2]> = LazyLock::new(|| [!taken(false), !taken(true)]);
    MASKS[usize::from(contpte)]
}
