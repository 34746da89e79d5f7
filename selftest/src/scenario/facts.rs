// SPDX-License-Identifier: GPL-2.0

//! What was seen, freed of what differs from one folio to the next, so that two can be compared.
//!
//! Left out on purpose: page frame numbers and swap slots as such (only how they lie to each other
//! counts), VmHWM (the kernel takes it from unsummed counters, so that it has a check of its own)
//! and the resident set outside the folio.

use std::collections::BTreeMap;

use crate::observe::pagemap::Entry;
use crate::observe::{Snapshot, System};
use crate::shape::Folio;
use crate::sys::cont_ptes;
use crate::verdict::Checks;

/// Named observations of one course.
pub type Facts = BTreeMap<String, String>;

/// Notes what `now` shows, under the name of a step. Counters are noted as what they moved since
/// `then`.
///
/// A page that was copied or read from swap may by chance be in its old frame again; `frames` says
/// whether frames are worth noting.
pub fn note(
    facts: &mut Facts,
    (step, frames): (&str, bool),
    folio: &Folio,
    then: &Snapshot,
    now: &Snapshot,
) {
    let slot = first_slot(now);
    note_rows(facts, step, then, now, &|k| {
        let pages = row(&now.processes[k].pages, folio, slot);
        match frames {
            true => pages,
            false => pages.replace('C', "X").replace('c', "s"),
        }
    });
}

/// As `note()`, with what the caller says of the pages of process `k`.
pub fn note_rows(
    facts: &mut Facts,
    step: &str,
    then: &Snapshot,
    now: &Snapshot,
    rows: &dyn Fn(usize) -> String,
) {
    let mut say = |key: String, value: String| {
        facts.insert(format!("{step}: {key}"), value);
    };
    for (k, (process, was)) in now.processes.iter().zip(&then.processes).enumerate() {
        let pages = rows(k);
        say(format!("process {k} pages"), pages);
        say(
            format!("process {k} pagemap flags"),
            packed(
                process
                    .pages
                    .iter()
                    .map(|e| format!("{:x}", e.flags() >> 55)),
            ),
        );
        let moved = |a: u64, b: u64| (a as i64 - b as i64).to_string();
        let (a, b) = (&process.status, &was.status);
        for (field, a, b) in [
            ("RssAnon", a.rss_anon, b.rss_anon),
            ("VmSwap", a.vm_swap, b.vm_swap),
            ("VmLck", a.vm_lck, b.vm_lck),
            ("VmPin", a.vm_pin, b.vm_pin),
            ("VmPTE", a.vm_pte, b.vm_pte),
        ] {
            say(format!("process {k} {field}"), moved(a, b));
        }
        say(format!("process {k} VMAs"), process.smaps.vmas.to_string());
        for (field, kb) in process.smaps.fields() {
            say(format!("process {k} smaps {field}"), kb.to_string());
        }
    }
    note_system(facts, step, &then.system, &now.system);
}

/// Notes the state of the page frames.
pub fn note_frames(facts: &mut Facts, step: &str, now: &Snapshot) {
    let frames = now.frames.iter();
    let frames = frames.map(|(flags, count)| format!("{}x{count}", flags.names()));
    facts.insert(format!("{step}: frames"), packed(frames));
}

/// Notes what the system's counters moved.
pub fn note_system(facts: &mut Facts, step: &str, then: &System, now: &System) {
    let swap = now.swap_used_kb as i64 - then.swap_used_kb as i64;
    facts.insert(format!("{step}: swap used"), swap.to_string());
    for event in now.events.keys() {
        let moved = now.moved(then, event);
        facts.insert(format!("{step}: {event}"), moved.to_string());
    }
}

/// The slot that belongs to the folio's first page, if any page is swapped.
pub fn first_slot(now: &Snapshot) -> Option<u64> {
    now.processes.iter().find_map(|process| {
        let slot = |(i, e): (usize, &Entry)| e.swap_offset()?.checked_sub(i as u64);
        process.pages.iter().enumerate().find_map(slot)
    })
}

/// One character a page.
///
/// `X` in its frame, mapped once; `s` in its frame, mapped more often; `C` and `c` likewise in
/// another frame (a copy, or read from swap); `.` in its swap slot; `!` in another slot; `_` hole. Long rows
/// say how often each character repeats.
pub fn row(pages: &[Entry], folio: &Folio, slot: Option<u64>) -> String {
    let letters = pages.iter().enumerate();
    letters_of(letters.map(|(i, e)| letter(i, *e, folio, slot)))
}

/// The character of page `i`.
pub fn letter(i: usize, e: Entry, folio: &Folio, slot: Option<u64>) -> char {
    let home = e.pfn() == Some(folio.pfn + i as u64);
    match (e.present(), home, e.mapped_once()) {
        (true, true, true) => 'X',
        (true, true, false) => 's',
        (true, false, true) => 'C',
        (true, false, false) => 'c',
        (false, ..) if !e.swapped() => '_',
        _ if e.swap_offset() == slot.map(|s| s + i as u64) => '.',
        _ => '!',
    }
}

/// A row of one character a page.
pub fn letters_of(letters: impl ExactSizeIterator<Item = char>) -> String {
    match letters.len() {
        0..=64 => letters.collect(),
        _ => packed(letters.map(String::from)),
    }
}

/// Writes equal neighbours once, with their number.
pub fn packed(items: impl Iterator<Item = String>) -> String {
    let mut groups: Vec<(String, usize)> = Vec::new();
    for item in items {
        match groups.last_mut() {
            Some((last, n)) if *last == item => *n += 1,
            _ => groups.push((item, 1)),
        }
    }
    let text = |(item, n): &(String, usize)| format!("{n}*{item}");
    groups.iter().map(text).collect::<Vec<_>>().join(" ")
}

/// What may differ between two ways of unmapping that are both right, by key. Why is said with each.
const MAY_DIFFER: [fn(&str) -> bool; 1] = [tries_to_split];

/// MADV_FREE of a part tries to split a folio for each batch of entries that are alike, and the
/// contiguous bit of arm64 counts there. The kernel's path takes a block of them apart for the
/// entry that it clears and puts back; this one puts back what is folded again.
fn tries_to_split(key: &str) -> bool {
    let counts = ["kB/split_failed", "thp_split_page_failed"];
    cfg!(target_arch = "aarch64")
        && key.starts_with("gone: ")
        && counts.iter().any(|count| key.ends_with(count))
}

/// Whether what MADV_FREE does to a folio of so many pages may differ after a request that put
/// entries back, for the same reason: a folio of several contpte blocks, of which one is taken apart, is
/// no single batch to it, and it splits the folio first, or leaves a pinned one as it is. Random plans do
/// not go there.
pub fn freed_by_blocks(pages: usize) -> bool {
    cont_ptes().is_some_and(|entries| pages > entries)
}

/// Compares what two ways of unmapping left behind, field by field: the kernel's own comes first.
pub fn agree(checks: &mut Checks, (name_a, a): (&str, &Facts), (name_b, b): (&str, &Facts)) {
    let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
    let width = name_a.len().max(name_b.len());
    for key in keys
        .into_iter()
        .filter(|key| !MAY_DIFFER.iter().any(|f| f(key)))
    {
        let side = |facts: &Facts| facts.get(key).cloned().unwrap_or("(not seen)".to_string());
        let (x, y) = (side(a), side(b));
        checks.that(x == y, || {
            let (x, y) = (around_difference(&x, &y), around_difference(&y, &x));
            format!("the paths differ in {key}:\n  {name_a:width$} {x}\n  {name_b:width$} {y}")
        });
    }
}

/// The part of a long text in which it begins to differ from another.
fn around_difference(text: &str, other: &str) -> String {
    const BEFORE: usize = 60;
    const MOST: usize = 160;
    let same = text.chars().zip(other.chars()).take_while(|(x, y)| x == y);
    let skipped = match text.chars().count() {
        ..=MOST => 0,
        _ => same.count().saturating_sub(BEFORE),
    };
    let shown: String = text.chars().skip(skipped).take(MOST).collect();
    match shown.len() == text.len() {
        true => shown,
        false => format!("...{shown}... (from character {skipped} of {})", text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_far_behind_is_shown() {
        let (a, b) = ("x".repeat(500) + "a", "x".repeat(500) + "b");
        assert_ne!(around_difference(&a, &b), around_difference(&b, &a));
        assert!(around_difference(&a, &b).contains("xa..."));
        assert_eq!(around_difference("a", "b"), "a");
    }
}
