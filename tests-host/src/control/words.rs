// SPDX-License-Identifier: GPL-2.0

//! What is printed, and the errno of each failure.

use super::{
    reason::Reason,
    report::Report,
    request::{Path, Request},
    stats::{self, PassedOn, Totals},
};
use crate::{
    property::holds,
    target::Outcome,
    ttu::{
        batch::BatchLen,
        tally::{Stop, Tally, NR_LENGTHS},
    },
};
use kernel::error::code;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// Reads `key value` lines, of which each key may appear once.
fn lines(text: &str) -> BTreeMap<String, String> {
    let mut map = BTreeMap::new();
    for line in text.lines() {
        let (key, value) = line.split_once(' ').expect("a key and a value");
        let before = map.insert(key.to_owned(), value.to_owned());
        assert!(before.is_none(), "{key} appears twice");
    }
    map
}

#[test]
fn each_length_of_batch_is_counted_by_its_power_of_two() {
    holds(
        10_000,
        prop::collection::vec(1..=8192u32, 0..50),
        |lengths| {
            let mut tally = Tally::default();
            let mut expected = [0; NR_LENGTHS];
            for &nr in &lengths {
                tally.add_batch(BatchLen::new(nr).unwrap());
                let power = (0..NR_LENGTHS).rev().find(|&power| nr >= 1 << power);
                expected[power.unwrap()] += 1;
            }
            prop_assert_eq!(tally.lengths, expected);
            prop_assert_eq!(tally.batches as usize, lengths.len());
            Ok(())
        },
    );
}

#[test]
fn a_batch_longer_than_any_page_table_breaks_no_count() {
    let mut tally = Tally::default();
    tally.add_batch(BatchLen::new(u32::MAX).unwrap());
    assert_eq!((tally.batches, tally.lengths), (1, [0; NR_LENGTHS]));
}

#[test]
fn the_first_reason_to_stop_is_the_one_that_counts() {
    let mut tally = Tally::default();
    tally.stopped(Stop::Pinned);
    tally.stopped(Stop::Mlocked);
    assert_eq!(tally.stop, Some(Stop::Pinned));
}

#[test]
fn each_failure_has_the_errno_that_the_interface_promises() {
    for &reason in Reason::ALL {
        let errno = match reason {
            Reason::NoProcess => code::ESRCH,
            Reason::Unmapped => code::ENOENT,
            Reason::Unsupported => code::EOPNOTSUPP,
            Reason::Interrupted => code::EINTR,
            Reason::NoSwapSpace => code::ENOSPC,
            _ => code::EBUSY,
        };
        assert_eq!(reason.errno(), errno, "{reason:?}");
    }
    let names: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len(), "two have the same name");
    for (index, &reason) in Reason::ALL.iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
    assert_eq!(Reason::from(Stop::Pinned), Reason::Pinned);
    assert_eq!(Reason::from(Stop::SwapDup), Reason::SwapDup);
    assert_eq!(Reason::from(Stop::Mlocked), Reason::Mlocked);
    assert_eq!(Reason::from(Stop::Redirtied), Reason::Redirtied);
    assert_eq!(Reason::from(Stop::ExtraReferences), Reason::ExtraReferences);
}

/// What an [`Outcome`] is made from: pages, unmapped, reclaimed; batches, runs, restored; why it
/// failed; the length of the batches, as a power of two; and how long it took.
type Parts = (Vec<usize>, Vec<u32>, Option<Reason>, usize, i64);

fn parts() -> impl Strategy<Value = Parts> {
    let failure = prop::option::of(prop::sample::select(Reason::ALL));
    let pages = prop::collection::vec(0..600usize, 3);
    let runs = prop::collection::vec(0..600u32, 3);
    (pages, runs, failure, 0..NR_LENGTHS, 0..1_000_000_000i64)
}

fn outcome(parts: &Parts) -> Outcome {
    let (pages, runs, failure, length, unmap_ns) = parts;
    let mut tally = Tally {
        batches: runs[0],
        runs: runs[1],
        restored: runs[2],
        ..Default::default()
    };
    tally.lengths[*length] = runs[0];
    Outcome {
        pages: pages[0],
        unmapped: pages[1],
        reclaimed: pages[2],
        unmap_ns: *unmap_ns,
        tally,
        failure: *failure,
    }
}

/// The keys that reports and totals have in common, and what they have to say.
fn sums(outcomes: &[Outcome]) -> Vec<(&'static str, usize)> {
    let sum = |value: fn(&Outcome) -> usize| outcomes.iter().map(value).sum();
    vec![
        ("folios", outcomes.len()),
        ("pages", sum(|outcome| outcome.pages)),
        ("unmapped", sum(|outcome| outcome.unmapped)),
        ("failed", sum(|outcome| outcome.failure.is_some().into())),
        ("batches", sum(|outcome| outcome.tally.batches as usize)),
        ("runs", sum(|outcome| outcome.tally.runs as usize)),
        ("restored", sum(|outcome| outcome.tally.restored as usize)),
        ("reclaimed", sum(|outcome| outcome.reclaimed)),
    ]
}

#[test]
fn a_report_adds_up_its_folios_and_names_the_first_failure() {
    holds(10_000, prop::collection::vec(parts(), 0..6), |parts| {
        let outcomes: Vec<_> = parts.iter().map(outcome).collect();
        let request = Request::parse(b"7 0x7000 0x2000 path=kernel reclaim=1").unwrap();
        let mut report = Report::new(request);
        outcomes.iter().for_each(|outcome| report.add(outcome));
        let text = lines(&report.to_string());
        for (key, value) in sums(&outcomes) {
            prop_assert_eq!(&text[key], &value.to_string(), "{}", key);
        }
        let unmap_ns: i64 = outcomes.iter().map(|outcome| outcome.unmap_ns).sum();
        prop_assert_eq!(&text["unmap_ns"], &unmap_ns.to_string());
        let first = outcomes.iter().find_map(|outcome| outcome.failure);
        prop_assert_eq!(report.failure(), first);
        prop_assert_eq!(&text["result"], first.map_or("ok", Reason::errno_name));
        for (key, value) in [
            ("pid", "7"),
            ("address", "0x7000"),
            ("length", "8192"),
            ("path", "kernel"),
            ("reclaim", "1"),
        ] {
            prop_assert_eq!(&text[key], value, "{}", key);
        }
        Ok(())
    });
}

fn number(text: &BTreeMap<String, String>, key: &str) -> usize {
    text[key].parse().unwrap()
}

/// Returns by how much each total has grown.
fn growth(count: impl FnOnce()) -> BTreeMap<String, usize> {
    let before = lines(&Totals.to_string());
    count();
    let after = lines(&Totals.to_string());
    assert!(before.keys().eq(after.keys()), "a key comes or goes");
    after
        .keys()
        .map(|key| (key.clone(), number(&after, key) - number(&before, key)))
        .collect()
}

/// Returns what all of `expected` adds up to; whatever it does not name has not grown.
fn expect(expected: impl IntoIterator<Item = (String, usize)>) -> BTreeMap<String, usize> {
    let keys = lines(&Totals.to_string()).into_keys();
    let mut sums: BTreeMap<_, _> = keys.map(|key| (key, 0)).collect();
    for (key, value) in expected {
        *sums
            .get_mut(&key)
            .unwrap_or_else(|| panic!("no total {key}")) += value;
    }
    sums
}

/// The totals that a tally is added to.
fn sums_of_tally(tally: &Tally) -> Vec<(String, usize)> {
    let lengths = (0..NR_LENGTHS).map(|power| {
        let key = format!("batch_len_{}", 1u32 << power);
        (key, tally.lengths[power] as usize)
    });
    lengths
        .chain([
            ("batches".to_owned(), tally.batches as usize),
            ("runs".to_owned(), tally.runs as usize),
            ("restored".to_owned(), tally.restored as usize),
        ])
        .collect()
}

fn sums_of_failure(failure: Option<Reason>) -> Vec<(String, usize)> {
    match failure {
        Some(reason) => vec![
            ("failed".to_owned(), 1),
            (format!("failed_{}", reason.name()), 1),
        ],
        None => vec![],
    }
}

// The totals are those of the whole program: this is the only test that counts.
#[test]
fn totals_grow_by_what_happened_and_by_nothing_else() {
    let path = prop::sample::select(&[Path::Batched, Path::Kernel][..]);
    holds(2_000, (parts(), path), |(parts, path)| {
        let outcome = outcome(&parts);
        let grown = growth(|| {
            stats::count_request(path);
            stats::count_folio(&outcome);
        });
        let mut expected = sums_of_tally(&outcome.tally);
        expected.extend(sums_of_failure(outcome.failure));
        expected.extend([
            ("requests".to_owned(), 1),
            (
                "requests_kernel".to_owned(),
                usize::from(path == Path::Kernel),
            ),
            ("folios".to_owned(), 1),
            ("pages".to_owned(), outcome.pages),
            ("unmapped".to_owned(), outcome.unmapped),
            ("reclaimed".to_owned(), outcome.reclaimed),
        ]);
        prop_assert_eq!(grown, expect(expected));
        Ok(())
    });

    let stop = prop::sample::select(&[Stop::Pinned, Stop::SwapDup, Stop::Mlocked][..]);
    let live = (parts(), any::<bool>(), prop::option::of(stop));
    holds(2_000, live, |(parts, gone, stop)| {
        let Outcome {
            pages, mut tally, ..
        } = outcome(&parts);
        tally.unmapped = parts.1[1];
        tally.stop = stop;
        let gone = gone.then_some(pages);
        let grown = growth(|| stats::count_taken(&tally, gone));
        let mut expected = sums_of_tally(&tally);
        expected.extend(sums_of_failure(stop.map(Reason::from)));
        expected.extend([
            ("live_taken".to_owned(), 1),
            ("live_folios".to_owned(), gone.map_or(0, |_| 1)),
            ("live_pages".to_owned(), gone.unwrap_or(0)),
            ("unmapped".to_owned(), tally.unmapped as usize),
        ]);
        prop_assert_eq!(grown, expect(expected));
        Ok(())
    });

    for (why, name) in [
        (PassedOn::Small, "small"),
        (PassedOn::File, "file"),
        (PassedOn::Ksm, "ksm"),
        (PassedOn::Hugetlb, "hugetlb"),
        (PassedOn::Hwpoison, "hwpoison"),
        (PassedOn::Asked, "asked"),
    ] {
        let grown = growth(|| stats::count_passed_on(why));
        assert_eq!(grown, expect([(format!("live_passed_{name}"), 1)]));
    }
}
