// SPDX-License-Identifier: GPL-2.0

//! A picture of four folios: before the unmap, after it, and when their content was read again.

use crate::iouring::Ring;
use crate::knobs::Saved;
use crate::observe::{mthp, Snapshot};
use crate::scenario::{course, facts};
use crate::shape::{self, bytes, model, whole, Mapping, Shape, WriteBits};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

const LEGEND: &str = "\
One character is one page of the folio, in the page table of one process:
  X  present, exclusive     x  in swap, exclusive     _  not mapped
  s  present, shared        .  in swap, shared        !  not where it should be
Where a page is comes from pagemap. What is exclusive comes from how the folio was made, and is
proved at the end: a write to an exclusive page takes no fault, one to a shared page takes one.";

/// A row longer than this is told in numbers.
const WIDEST: usize = 64;

type Make = for<'f> fn(&'f Family, &Ring) -> Result<Shape<'f>, Stop>;

/// A folio to show: a title, how it is made, and whether it must be refused.
struct Scene {
    title: &'static str,
    make: Make,
    refused: bool,
}

/// What one path did to one folio.
struct Seen {
    path: Path,
    rows: [Vec<String>; 3],
    answer: Answer,
    /// Reading gave what was written before the unmap, and each process then saw its own writes.
    intact: bool,
    /// The faults each process took when it wrote to all its pages.
    faults: Vec<u64>,
}

/// Shows all; false if something is not as it should be.
pub fn run() -> Result<bool, Stop> {
    println!("{LEGEND}");
    let saved = Saved::save();
    whole::find_out();
    saved.restore();
    if !whole::swapped()? {
        println!(
            "\nThis kernel splits a large folio before it swaps it: there is nothing to show."
        );
        return Ok(true);
    }
    let scenes = [
        Scene {
            title: "An exclusive folio of 16 pages",
            make: |family, _| shape::exclusive(family, 4, Mapping::Pte),
            refused: false,
        },
        Scene {
            title: "A folio of which every second quarter is shared with a child",
            make: |family, _| mixed(family, |i| i / 4 % 2 == 0, &|_, _| Ok(())),
            refused: false,
        },
        Scene {
            title: "A folio whose last page is pinned by io_uring, its first half shared",
            make: |family, ring| {
                mixed(family, |i| i >= 8, &|subject, folio| {
                    ring.pin(subject, folio.page(15), bytes(1))
                })
            },
            refused: true,
        },
        Scene {
            title: "An exclusive folio mapped by one PMD entry",
            make: |family, _| shape::exclusive(family, mthp::pmd_order(), Mapping::Pmd),
            refused: false,
        },
    ];
    let mut good = true;
    for (i, scene) in scenes.iter().enumerate() {
        println!("\n{}. {}", i + 1, scene.title);
        let shown = show(scene);
        saved.restore();
        good &= shown?;
    }
    Ok(good)
}

fn mixed<'f>(
    family: &'f Family,
    mask: fn(usize) -> bool,
    ready: &dyn Fn(&crate::subject::Subject<'_>, &shape::Folio) -> Result<(), Stop>,
) -> Result<Shape<'f>, Stop> {
    shape::mixed(family, 4, &mask, WriteBits::Equal, ready)
}

fn show(scene: &Scene) -> Result<bool, Stop> {
    let mut good = true;
    let mut rows = Vec::new();
    for path in Path::BOTH {
        let ring = Ring::new()?;
        let family = Family::new(2)?;
        let mut shape = (scene.make)(&family, &ring)?;
        let seen = watch(&mut shape, path)?;
        print(&shape, &seen);
        good &= judge(scene, &shape, &seen);
        rows.push(seen.rows);
    }
    if rows[0] != rows[1] {
        println!("   The two paths do NOT agree.");
        good = false;
    }
    Ok(good)
}

/// Unmaps the folio, reads it back and writes to it, looking at every step.
fn watch(shape: &mut Shape<'_>, path: Path) -> Result<Seen, Stop> {
    let before = shape.look()?;
    let request = Request::new(shape.subjects[0].pid, shape.folio.address, path);
    let answer = trigger::request(&request)?;
    let after = shape.look()?;
    let mut checks = Checks::default();
    course::read_back(&mut checks, shape)?;
    let back = shape.look()?;
    shape.allow_writes()?;
    let faults = course::write_all(&mut checks, shape)?;
    Ok(Seen {
        faults: faults.iter().map(|f| f.minor).collect(),
        path,
        rows: [&before, &after, &back].map(|s| draw(shape, s)),
        answer,
        intact: checks.broken().is_empty(),
    })
}

/// The folio as each process has it.
fn draw(shape: &Shape<'_>, snapshot: &Snapshot) -> Vec<String> {
    let slot = facts::first_slot(snapshot);
    let process = |(k, process): (usize, &crate::observe::Process)| {
        let letters = process.pages.iter().zip(&shape.pages[k]).enumerate();
        let letters = letters.map(|(i, (entry, page))| {
            let home = entry.pfn() == Some(shape.folio.pfn + i as u64);
            let in_slot = entry.swapped() && entry.swap_offset() == slot.map(|s| s + i as u64);
            match page.map(|p| p.exclusive) {
                None if !entry.present() && !entry.swapped() => '_',
                Some(true) if home => 'X',
                Some(false) if home => 's',
                Some(true) if in_slot => 'x',
                Some(false) if in_slot => '.',
                _ => '!',
            }
        });
        match process.pages.len() {
            0..=WIDEST => letters.collect(),
            _ => facts::packed(letters.map(String::from)),
        }
    };
    snapshot.processes.iter().enumerate().map(process).collect()
}

fn print(shape: &Shape<'_>, seen: &Seen) {
    let title = match seen.path {
        Path::Kernel => "the kernel's own path",
        Path::Batched => "this module, batched",
    };
    println!("   {title}");
    let names = ["parent", "child"];
    for (k, who) in names.iter().enumerate().take(shape.subjects.len()) {
        let [before, after, back] = &seen.rows;
        println!(
            "     {who:7} before {}  after {}  read back {}",
            before[k], after[k], back[k]
        );
    }
    let number = |key| seen.answer.report.number(key).unwrap_or(0);
    println!(
        "     {}: {} entries unmapped, {}",
        errno_name(seen.answer.errno),
        number("unmapped"),
        match seen.path {
            Path::Kernel => "one by one".into(),
            Path::Batched => format!(
                "batches {}, runs {}, entries put back {}",
                number("batches"),
                number("runs"),
                number("restored")
            ),
        }
    );
    let spans = (0..shape.subjects.len()).flat_map(|k| shape.spans(k));
    let total: u64 = spans.map(|span| span.len).sum();
    let pages = total / bytes(1);
    let faults: u64 = seen.faults.iter().sum();
    println!(
        "     read back: {total} bytes {}; written: {} pages without a fault, {faults} with",
        match seen.intact {
            true => "right",
            false => "WRONG",
        },
        pages.saturating_sub(faults),
    );
}

/// Holds what was seen, and the report, against what the shape says.
fn judge(scene: &Scene, shape: &Shape<'_>, seen: &Seen) -> bool {
    let [before, after, back] = &seen.rows;
    let pages = shape.folio.pages as u64;
    let number = |key| seen.answer.report.number(key);
    let batched = seen.path == Path::Batched;
    let shared = |p: &shape::Pages| p.iter().flatten().filter(|p| !p.exclusive).count() as u64;
    let faults: Vec<u64> = shape.pages.iter().map(shared).collect();
    let mut good = seen.intact && before == back && seen.faults == faults;
    good &= number("pages") == Some(pages);
    if scene.refused {
        let lost = model::refused(&shape.pages[0]).map(|r| r.from);
        let kept: Vec<char> = after[0].chars().skip(lost.unwrap_or(0)).collect();
        good &= errno_name(seen.answer.errno) == "EBUSY" && kept.iter().all(|c| *c == 'X');
        good &= number("failed") == Some(1);
        return good;
    }
    let present = |row: &String| row.contains(['X', 's', '!']);
    good &= seen.answer.errno == 0 && !after.iter().any(present);
    let expected = shape.expected();
    good &= number("unmapped") == Some(expected.mappings);
    if batched {
        good &= number("batches") == Some(expected.batches);
        good &= number("runs") == Some(expected.runs);
    }
    good
}
