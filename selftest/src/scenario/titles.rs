// SPDX-License-Identifier: GPL-2.0

//! What the groups of tests are about, as a reader of their results wants to find it.

/// Each scenario and the groups that try it, in the order of a table of results.
pub const TITLES: [(&str, &[&str]); 16] = [
    ("exclusive, every order", &["exclusive", "contpte", "zram"]),
    ("shared by fork", &["fork"]),
    ("mixed exclusivity", &["mixed"]),
    ("partly mapped, moved, in two VMAs", &["partial"]),
    ("pinned, plain references", &["pinned", "gup"]),
    ("lazily freed", &["lazyfree"]),
    (
        "mlocked, soft-dirty, uffd-wp, MTE tags, hwpoison",
        &["mlock", "softdirty", "uffd", "mte", "hwpoison"],
    ),
    ("device-exclusive entries, devices that listen", &["device"]),
    ("no ordinary anonymous memory", &["refused"]),
    (
        "swap: none, full, off in between, memcg limits",
        &["swapless", "swapoff", "memcg"],
    ),
    ("in swap already", &["swapcached"]),
    ("ranges", &["ranges"]),
    ("races", &["races-1", "races-2", "races-4"]),
    (
        "requests and reports, hostile ones",
        &["requests", "hostile"],
    ),
    ("live mode", &["live"]),
    (
        "drawn at random, injected faults",
        &["random", "faults", "faults-around"],
    ),
];

#[cfg(test)]
mod tests {
    use super::super::GROUPS;
    use super::TITLES;

    #[test]
    fn every_group_belongs_to_one_scenario() {
        let mut groups: Vec<_> = GROUPS.iter().map(|g| g.name).collect();
        let mut titled: Vec<_> = TITLES.iter().flat_map(|t| t.1).copied().collect();
        groups.sort_unstable();
        titled.sort_unstable();
        assert_eq!(titled, groups);
    }
}
