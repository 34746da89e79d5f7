// SPDX-License-Identifier: GPL-2.0

//! Requests with a length: every anonymous folio of a range.

use std::time::Duration;

use super::facts;
use crate::iouring::Ring;
use crate::observe::{pagemap, System};
use crate::runner::Test;
use crate::shape::{bytes, folio, whole, Folio, Mapping};
use crate::subject::{Family, Subject};
use crate::sys::{self, errno_name};
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// How often a signal may come too early or too late.
const ATTEMPTS: usize = 40;

/// All of them.
pub fn tests() -> Vec<Test> {
    let both = |name, body: fn(&mut Checks, Path) -> Result<(), Stop>| {
        Test::new(format!("ranges: {name}"), move |checks| {
            for path in Path::BOTH {
                checks.context(path.to_string());
                body(checks, path)?;
            }
            Ok(())
        })
    };
    vec![
        both("folios of several orders", several_orders),
        both("ends inside folios", ends_inside),
        both("holes and a file in between", holes),
        both("nothing there", nothing),
        both("one of three is pinned", one_pinned),
        both("a signal in the middle", signal),
    ]
}

/// An area in which folios are made one after the other.
struct Area<'s, 'f> {
    subject: &'s Subject<'f>,
    start: u64,
    len: u64,
    folios: Vec<Folio>,
}

impl<'s, 'f> Area<'s, 'f> {
    const PAGES: usize = 128;

    fn new(subject: &'s Subject<'f>) -> Result<Self, Stop> {
        let len = bytes(Self::PAGES);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let start = subject.map(2 * len, libc::PROT_NONE, flags, -1)?;
        Ok(Area {
            subject,
            start: start.next_multiple_of(len),
            len,
            folios: Vec::new(),
        })
    }

    /// Makes a folio at page `page` of the area: a single page where a large one is not swapped.
    fn put(&mut self, page: usize, order: u32) -> Result<Folio, Stop> {
        let order = whole::order_or_page(order)?;
        let at = self.start + bytes(page);
        let folio = Folio::make_at(self.subject, at, order, Mapping::Pte)?;
        self.folios.push(folio);
        Ok(folio)
    }

    /// Asks for all from `from` to `to`.
    fn request(&self, from: u64, to: u64, path: Path) -> Result<Answer, Stop> {
        Ok(trigger::request(&Request {
            len: Some(to - from),
            ..Request::new(self.subject.pid, from, path)
        })?)
    }

    /// Checks that these folios are swapped and the others are not, that the report says so, and
    /// that nothing is lost.
    fn check(
        &self,
        checks: &mut Checks,
        answer: &Answer,
        (swapped, failed): (&[usize], &[usize]),
    ) -> Result<(), Stop> {
        self.check_swapped(checks, swapped)?;
        self.check_report(checks, answer, (swapped, failed));
        self.check_content(checks)
    }

    fn check_swapped(&self, checks: &mut Checks, swapped: &[usize]) -> Result<(), Stop> {
        for (i, folio) in self.folios.iter().enumerate() {
            let seen = pagemap::read(self.subject.pid, folio.address, folio.pages)?;
            let right = seen.iter().all(|e| e.swapped() == swapped.contains(&i));
            checks.that(right, || {
                let row = facts::row(&seen, folio, None);
                format!("folio {i} is {row}, swapped should be {swapped:?}")
            });
        }
        Ok(())
    }

    fn check_report(
        &self,
        checks: &mut Checks,
        answer: &Answer,
        (unmapped, failed): (&[usize], &[usize]),
    ) {
        let sum = |set: &[usize]| {
            set.iter()
                .map(|i| self.folios[*i].pages as u64)
                .sum::<u64>()
        };
        let number = |key| answer.report.number(key);
        let tried = (unmapped.len() + failed.len()) as u64;
        let pages = sum(unmapped) + sum(failed);
        checks.eq("report folios", number("folios"), Some(tried));
        checks.eq("report pages", number("pages"), Some(pages));
        checks.eq("report unmapped", number("unmapped"), Some(sum(unmapped)));
        checks.eq("report failed", number("failed"), Some(failed.len() as u64));
    }

    /// What was swapped comes back by this.
    fn check_content(&self, checks: &mut Checks) -> Result<(), Stop> {
        for folio in &self.folios {
            let differs = self
                .subject
                .compare(folio.address, folio.len(), folio::SEED)?;
            checks.eq("content", differs, None);
        }
        Ok(())
    }

    /// The entries of all its pages.
    fn entries(&self) -> Result<Vec<pagemap::Entry>, Stop> {
        Ok(pagemap::read(self.subject.pid, self.start, Self::PAGES)?)
    }
}

fn several_orders(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let origin = System::take()?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject)?;
    for (page, order) in [(0, 4), (16, 2), (20, 0), (21, 0), (24, 3), (32, 5), (64, 6)] {
        area.put(page, order)?;
    }
    let answer = area.request(area.start, area.start + area.len, path)?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    area.check(checks, &answer, (&[0, 1, 2, 3, 4, 5, 6], &[]))?;
    if path == Path::Batched {
        checks.eq("report batches", answer.report.number("batches"), Some(7));
        checks.eq("report runs", answer.report.number("runs"), Some(7));
    }
    let first = area.folios[0];
    subject.exit()?;
    super::course::check_gone(checks, (first.pfn, first.pages), &origin)?;
    Ok(())
}

fn ends_inside(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject)?;
    for page in [0, 16, 32, 48] {
        area.put(page, 4)?;
    }
    // From the last byte of the first to the first byte of the third.
    let from = area.folios[0].end() - 1;
    let to = area.folios[2].address + 1;
    let answer = area.request(from, to, path)?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    area.check(checks, &answer, (&[0, 1, 2], &[]))
}

fn holes(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject)?;
    area.put(16, 4)?;
    area.put(64, 4)?;
    // Before, between and after them: nothing, unmapped memory, and shared memory.
    subject.unmap(area.start, bytes(8))?;
    let at = area.start + bytes(40);
    let args = [
        at,
        bytes(1),
        (libc::PROT_READ | libc::PROT_WRITE) as u64,
        (libc::MAP_SHARED | libc::MAP_ANONYMOUS | libc::MAP_FIXED) as u64,
        u64::MAX,
        0,
    ];
    subject.syscall(libc::SYS_mmap, args)??;
    subject.poke(at, 1)?;
    let answer = area.request(area.start, area.start + area.len, path)?;
    checks.eq("errno", errno_name(answer.errno), "ok".into());
    let shared = pagemap::read(subject.pid, at, 1)?[0];
    checks.that(shared.present(), || "the shared page was unmapped".into());
    area.check(checks, &answer, (&[0, 1], &[]))
}

fn nothing(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject)?;
    area.put(64, 4)?;
    let answer = area.request(area.start, area.start + bytes(64), path)?;
    checks.eq("errno", errno_name(answer.errno), "ENOENT".into());
    area.check(checks, &answer, (&[], &[]))
}

fn one_pinned(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let ring = Ring::new()?;
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject)?;
    for page in [0, 16, 32] {
        area.put(page, 4)?;
    }
    let last = area.folios[1].pages - 1;
    ring.pin(&subject, area.folios[1].page(last), bytes(1))?;
    let answer = area.request(area.start, area.start + area.len, path)?;
    checks.eq("errno", errno_name(answer.errno), "EBUSY".into());
    checks.eq("report result", answer.report.get("result"), Some("EBUSY"));
    area.check(checks, &answer, (&[0, 2], &[1]))?;
    ring.unpin()?;
    let answer = area.request(area.folios[1].address, area.folios[2].address, path)?;
    checks.eq("errno when unpinned", errno_name(answer.errno), "ok".into());
    Ok(())
}

/// What is done by then stays done, and said; the rest is as it was, and can be asked for again.
fn signal(checks: &mut Checks, path: Path) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject)?;
    // Single pages take the longest; large folios are met on the way.
    for page in (0..Area::PAGES).step_by(8) {
        area.put(page, 2)?;
        for single in 4..8 {
            area.put(page + single, 0)?;
        }
    }
    let all: Vec<usize> = (0..area.folios.len()).collect();
    let everything = || area.request(area.start, area.start + area.len, path);

    let mut period = Duration::from_micros(200);
    for _ in 0..ATTEMPTS {
        let (before, count) = (area.entries()?, interrupted()?);
        let answer = sys::alarmed(period, everything)??;
        let ended = answer.errno == libc::EINTR;
        let counted = interrupted()? - count;
        checks.eq("failed_interrupted", counted, u64::from(ended));
        let wanted = if ended { "EINTR" } else { "ok" };
        checks.eq("errno", errno_name(answer.errno), wanted.into());
        checks.eq("report result", answer.report.get("result"), Some(wanted));

        let after = area.entries()?;
        let is_swapped = |i: &usize| {
            let page = (area.folios[*i].address - area.start) / bytes(1);
            after[page as usize].swapped()
        };
        let (done, rest): (Vec<_>, Vec<_>) = all.iter().partition(|i| is_swapped(i));
        checks.eq("done, from the front", &all[..done.len()], &done[..]);
        checks.that(ended || rest.is_empty(), || {
            format!("ok, but {} folios are left", rest.len())
        });
        area.check_swapped(checks, &done)?;
        area.check_report(checks, &answer, (&done, &[]));
        // The rest of the area, or all of it.
        let untouched = rest.first().map_or(Area::PAGES, |i| {
            ((area.folios[*i].address - area.start) / bytes(1)) as usize
        });
        checks.eq(
            "entries of the rest",
            &after[untouched..],
            &before[untouched..],
        );
        if !done.is_empty() && !rest.is_empty() {
            checks.note(format!("{path}: {} of {} folios", done.len(), all.len()));
            // What is in swap is passed over.
            let answer = everything()?;
            checks.eq("errno then", errno_name(answer.errno), "ok".into());
            area.check_report(checks, &answer, (&rest, &[]));
            area.check_swapped(checks, &all)?;
            return area.check_content(checks);
        }
        // The signal came too early, or too late.
        area.check_content(checks)?;
        period = if ended { period * 2 } else { period / 3 };
    }
    Err(Stop::Fail("no signal comes in the middle".into()))
}

/// How many requests a signal has ended.
fn interrupted() -> Result<u64, Stop> {
    let count = trigger::stats()?.number("failed_interrupted");
    count.ok_or_else(|| Stop::Fail("stats has no failed_interrupted".into()))
}
