// SPDX-License-Identifier: GPL-2.0

//! Memory with folios of several orders.

use std::ops::Range;

use crate::observe::{pagemap, Snapshot, System};
use crate::scenario::course;
use crate::scenario::facts::{self, Facts};
use crate::shape::{bytes, folio, whole, Folio, Mapping};
use crate::subject::{Family, Subject};
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// An area in which folios are made one after the other.
pub(super) struct Area<'s, 'f> {
    /// Whose it is.
    pub(super) subject: &'s Subject<'f>,
    /// Its address.
    pub(super) start: u64,
    /// Its folios, in the order in which they were made.
    pub(super) folios: Vec<Folio>,
    path: Path,
    seen: Facts,
}

/// Does something in an area of a process of its own, of which nothing may be left in the end.
pub(super) fn in_area(
    checks: &mut Checks,
    path: Path,
    body: &dyn Fn(&mut Checks, &mut Area<'_, '_>) -> Result<(), Stop>,
) -> Result<Facts, Stop> {
    let family = Family::new(1)?;
    let origin = System::take()?;
    let subject = family.spawn()?;
    let mut area = Area::new(&subject, path)?;
    body(checks, &mut area)?;
    let (seen, first) = (area.seen, area.folios[0]);
    subject.exit()?;
    course::check_gone(checks, (first.pfn, first.pages), &origin)?;
    Ok(seen)
}

impl<'s, 'f> Area<'s, 'f> {
    /// How many pages it has.
    pub(super) const PAGES: usize = 128;

    fn new(subject: &'s Subject<'f>, path: Path) -> Result<Self, Stop> {
        let len = bytes(Self::PAGES);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        let start = subject.map(2 * len, libc::PROT_NONE, flags, -1)?;
        Ok(Area {
            subject,
            start: start.next_multiple_of(len),
            folios: Vec::new(),
            path,
            seen: Facts::new(),
        })
    }

    /// Makes a folio at page `page` of the area: a single page where a large one is not swapped.
    pub(super) fn put(&mut self, page: usize, order: u32) -> Result<Folio, Stop> {
        let order = whole::order_or_page(order)?;
        let at = self.start + bytes(page);
        let folio = Folio::make_at(self.subject, at, order, Mapping::Pte)?;
        self.folios.push(folio);
        Ok(folio)
    }

    /// The addresses of all of it.
    pub(super) fn all(&self) -> Range<u64> {
        self.start..self.start + bytes(Self::PAGES)
    }

    /// Asks for all that is there.
    pub(super) fn request(&self, range: Range<u64>) -> Result<Answer, Stop> {
        Ok(trigger::request(&Request {
            len: Some(range.end - range.start),
            ..Request::new(self.subject.pid, range.start, self.path)
        })?)
    }

    /// The same, and notes under the name of a step what that has changed.
    pub(super) fn request_noted(&mut self, step: &str, range: Range<u64>) -> Result<Answer, Stop> {
        let before = self.look()?;
        let answer = self.request(range)?;
        let after = self.look()?;
        let mut rest = &after.processes[0].pages[..];
        let mut rows = Vec::new();
        for folio in &self.folios {
            let (pages, others) = rest.split_at(folio.pages);
            rows.push(facts::row(pages, folio, pages[0].swap_offset()));
            rest = others;
        }
        let rows = rows.join(" ");
        facts::note_rows(&mut self.seen, step, &before, &after, &|_| rows.clone());
        Ok(answer)
    }

    /// Looks at the folios: where what lies around them ends is chance.
    fn look(&self) -> Result<Snapshot, Stop> {
        let folios = self.folios.iter();
        let ranges: Vec<_> = folios.map(|f| (f.address, f.len())).collect();
        Ok(Snapshot::take(&[self.subject.pid], &ranges, None)?)
    }

    /// Checks that these folios are swapped and the others are not, that the report says so, and
    /// that nothing is lost.
    pub(super) fn check(
        &self,
        checks: &mut Checks,
        answer: &Answer,
        (swapped, failed): (&[usize], &[usize]),
    ) -> Result<(), Stop> {
        self.check_swapped(checks, swapped)?;
        self.check_report(checks, answer, (swapped, failed));
        self.check_content(checks)
    }

    pub(super) fn check_swapped(&self, checks: &mut Checks, swapped: &[usize]) -> Result<(), Stop> {
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

    pub(super) fn check_report(
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
    pub(super) fn check_content(&self, checks: &mut Checks) -> Result<(), Stop> {
        for folio in &self.folios {
            let differs = self
                .subject
                .compare(folio.address, folio.len(), folio::SEED)?;
            checks.eq("content", differs, None);
        }
        Ok(())
    }

    /// The entries of all its pages.
    pub(super) fn entries(&self) -> Result<Vec<pagemap::Entry>, Stop> {
        Ok(pagemap::read(self.subject.pid, self.start, Self::PAGES)?)
    }
}
