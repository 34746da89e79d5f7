// SPDX-License-Identifier: GPL-2.0

//! Carries a plan out, once by the kernel's path and once by the batched one, and compares.
//!
//! The second run is held against the first after each request, before it goes on: to fault in
//! what is wrong can take the whole guest down.

use super::act::Tools;
use super::plan::{Act, Plan, Step};
use super::scene::Scene;
use crate::knobs;
use crate::observe::pagemap::Entry;
use crate::observe::smaps::{self, Vma};
use crate::observe::{mthp, vmstat, Snapshot, System};
use crate::scenario::course::{check_gone, empty_swap_cache};
use crate::scenario::facts::{self, Facts};
use crate::shape::folio::drain_lists;
use crate::shape::{bytes, whole};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Answer, Path, Request};
use crate::verdict::{Checks, Stop};

/// What must be the same, scene by scene.
type Story = Vec<Facts>;

/// Judges a plan.
pub fn judge(checks: &mut Checks, plan: &Plan) -> Result<(), Stop> {
    whole::must_be_swapped(plan.order)?;
    let tainted = knobs::read("/proc/sys/kernel/tainted")?;
    let mut story = Story::new();
    for path in Path::BOTH {
        checks.context(path.to_string());
        Run::new(plan, path, &mut story)?.run(checks)?;
    }
    let now = knobs::read("/proc/sys/kernel/tainted")?;
    checks.eq("taint flags of the kernel", now, tainted);
    Ok(())
}

/// One way through a plan.
struct Run<'a> {
    plan: &'a Plan,
    path: Path,
    story: &'a mut Story,
    told: usize,
    tools: Tools,
    /// Whether a request was refused, and may have put entries back.
    refused: bool,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan, path: Path, story: &'a mut Story) -> Result<Self, Stop> {
        Ok(Run {
            plan,
            path,
            story,
            told: 0,
            tools: Tools::new(plan)?,
            refused: false,
        })
    }

    /// Tells what was seen; the second time, it must be as the first.
    fn tell(&mut self, checks: &mut Checks, seen: Facts) -> Result<(), Stop> {
        match self.path {
            Path::Kernel => self.story.push(seen),
            Path::Batched => {
                checks.context("");
                let nothing = Facts::new();
                let kernel = self.story.get(self.told).unwrap_or(&nothing);
                facts::agree(checks, ("kernel", kernel), ("batched", &seen));
                checks.context(self.path.to_string());
            }
        }
        self.told += 1;
        match checks.broken() {
            [] => Ok(()),
            _ => Err(Stop::Fail("the plan does not go on after that".into())),
        }
    }

    fn run(mut self, checks: &mut Checks) -> Result<(), Stop> {
        let family = Family::new(1 + self.plan.count(Act::Fork))?;
        // What was there before has to be gone: pages that wait in the list of a CPU still count.
        drain_lists()?;
        let origin = System::take()?;
        let locked = vmstat::summed("nr_mlock")?;
        let mut scene = Scene::make(&family, self.plan)?;
        let folio = scene.shape.folio;

        for (number, step) in self.plan.steps.iter().enumerate() {
            let name = format!("{step} (step {})", number + 1);
            let mut seen = Facts::new();
            match step.act.is_request() {
                true => self.request(checks, &mut scene, (&name, step), &mut seen)?,
                false
                    if step.act == Act::Free
                        && self.refused
                        && facts::freed_by_blocks(folio.pages) => {}
                false => {
                    let said = scene.take(checks, (number, step), &mut self.tools)?;
                    seen.insert(name, said);
                    scene.track()?;
                }
            }
            self.tell(checks, seen)?;
        }

        self.read_back(checks, &mut scene)?;
        self.write(checks, &mut scene)?;
        self.let_go(checks, &mut scene)?;

        scene.shape.exit()?;
        let cached_kb = empty_swap_cache(&origin)?;
        let gone = check_gone(checks, (folio.pfn, folio.pages), &origin)?;
        let left = vmstat::summed("nr_mlock")? - locked;
        checks.eq("nr_mlock in the end", left, 0);
        let mut seen = Facts::new();
        facts::note_system(&mut seen, "gone", &origin, &gone);
        seen.insert("gone: kB in the swap cache".into(), cached_kb.to_string());
        self.tell(checks, seen)
    }

    /// A request, if its process is there and may access the page.
    fn request(
        &mut self,
        checks: &mut Checks,
        scene: &mut Scene<'_>,
        (name, step): (&str, &Step),
        seen: &mut Facts,
    ) -> Result<(), Stop> {
        let k = step.process;
        if k >= scene.shape.subjects.len() {
            return Ok(());
        }
        let spans = scene.shape.spans_of(&step.pages);
        let Some(first) = spans.first() else {
            return Ok(());
        };
        let of_range = [Act::UnmapRange, Act::ReclaimRange].contains(&step.act);
        let request = Request {
            len: of_range.then_some(first.len),
            reclaim: [Act::Reclaim, Act::ReclaimRange].contains(&step.act),
            // Any byte of the page will do for the one folio there.
            ..Request::new(
                scene.shape.subjects[k].pid,
                first.at + if of_range { 0 } else { bytes(1) / 2 },
                self.path,
            )
        };
        let before = look(scene)?;
        let vmas: Result<Vec<_>, _> = scene.shape.pids().into_iter().map(smaps::vmas).collect();
        let answer = trigger::request(&request)?;
        drain_lists()?;
        scene.track()?;
        let after = scene.shape.look()?;
        self.check_answer(checks, scene, &vmas?, (&before, &after), &answer);
        self.note(seen, scene, name, &before, &after);
        seen.insert(format!("{name}: errno"), errno_name(answer.errno));
        self.refused |= answer.errno == libc::EBUSY;
        for key in [
            "folios",
            "pages",
            "unmapped",
            "failed",
            "reclaimed",
            "result",
        ] {
            let value = answer.report.get(key).unwrap_or("(none)");
            seen.insert(format!("{name}: report {key}"), value.into());
        }
        Ok(())
    }

    fn note(
        &self,
        seen: &mut Facts,
        scene: &Scene<'_>,
        name: &str,
        before: &Snapshot,
        after: &Snapshot,
    ) {
        facts::note_rows(seen, name, before, after, &|k| scene.row(k, after));
        if scene.is_whole() {
            facts::note_frames(seen, name, after);
        }
    }

    /// Holds the report against what was seen.
    fn check_answer(
        &self,
        checks: &mut Checks,
        scene: &Scene<'_>,
        vmas: &[Vec<Vma>],
        (before, after): (&Snapshot, &Snapshot),
        answer: &Answer,
    ) {
        let mut lost = 0;
        let mut least = 0;
        for (k, (was, now)) in before.processes.iter().zip(&after.processes).enumerate() {
            let gone = |i: usize| was.pages[i].present() && !now.pages[i].present();
            lost += (0..was.pages.len()).filter(|i| gone(*i)).count() as u64;
            least += least_batches(scene, k, &vmas[k], &was.pages, &gone);
        }
        let number = |key| answer.report.number(key).unwrap_or(0);
        checks.eq("report unmapped", number("unmapped"), lost);
        let (batches, runs) = (number("batches"), number("runs"));
        if self.path == Path::Batched {
            // What a batch must not reach across shows from outside; what else ends one does not.
            let fits = least <= batches && batches <= lost + number("restored");
            checks.that(fits, || {
                format!("{batches} batches took {lost} entries; there must be at least {least}")
            });
            checks.that(runs <= lost, || format!("{runs} runs for {lost} entries"));
        }
    }

    /// Every process reads all that it may access.
    fn read_back(&mut self, checks: &mut Checks, scene: &mut Scene<'_>) -> Result<(), Stop> {
        let mut seen = Facts::new();
        let before = look(scene)?;
        for k in 0..scene.shape.subjects.len() {
            let said = self.read(checks, scene, k)?;
            seen.insert(format!("read back: by process {k}"), said);
        }
        scene.read_around(checks)?;
        scene.track()?;
        let after = look(scene)?;
        self.note(&mut seen, scene, "read back", &before, &after);
        self.tell(checks, seen)
    }

    fn read(&self, checks: &mut Checks, scene: &Scene<'_>, k: usize) -> Result<String, Stop> {
        let subject = &scene.shape.subjects[k];
        let start = subject.faults()?;
        let dropped = scene.read(checks, k, &(0..scene.shape.folio.pages))?;
        let end = subject.faults()?;
        let (minor, major) = (end.minor - start.minor, end.major - start.major);
        Ok(format!("{dropped} {minor} minor faults, {major} major"))
    }

    /// Every process writes to all that it may access, and none sees what another wrote.
    fn write(&mut self, checks: &mut Checks, scene: &mut Scene<'_>) -> Result<(), Stop> {
        let mut seen = Facts::new();
        let before = look(scene)?;
        scene.allow_writes()?;
        for k in 0..scene.shape.subjects.len() {
            let start = scene.shape.subjects[k].faults()?;
            scene.write_own(k)?;
            let end = scene.shape.subjects[k].faults()?;
            let faults = format!(
                "{} and {}",
                end.minor - start.minor,
                end.major - start.major
            );
            seen.insert(format!("written: faults of process {k}"), faults);
        }
        for k in 0..scene.shape.subjects.len() {
            self.read(checks, scene, k)?;
        }
        scene.read_around(checks)?;
        scene.track()?;
        let after = look(scene)?;
        self.note(&mut seen, scene, "written", &before, &after);
        self.tell(checks, seen)
    }

    /// What has held the folio lets go of it; then it can be unmapped.
    fn let_go(&mut self, checks: &mut Checks, scene: &mut Scene<'_>) -> Result<(), Stop> {
        self.tools.unpin()?;
        self.tools.drain()?;
        scene.unlock()?;
        let mapped = scene.runs(0, &(0..scene.shape.folio.pages), &|_| true);
        let Some(pages) = mapped.into_iter().next() else {
            return Ok(());
        };
        let last = Step {
            act: Act::Unmap,
            process: 0,
            pages,
        };
        let mut seen = Facts::new();
        self.request(checks, scene, ("let go", &last), &mut seen)?;
        self.tell(checks, seen)?;
        for k in 0..scene.shape.subjects.len() {
            self.read(checks, scene, k)?;
        }
        scene.read_around(checks)
    }
}

/// Looks at everything, when no list of a CPU holds pages of it.
fn look(scene: &Scene<'_>) -> Result<Snapshot, Stop> {
    drain_lists()?;
    scene.shape.look()
}

/// In how many batches the entries of process `k` that are gone must have been taken, at least:
/// one for each VMA and page table, and for what pagemap shows of their bits.
fn least_batches(
    scene: &Scene<'_>,
    k: usize,
    vmas: &[Vma],
    was: &[Entry],
    gone: &dyn Fn(usize) -> bool,
) -> u64 {
    let table = bytes(1 << mthp::pmd_order());
    let mut last = None;
    let mut least = 0;
    for (i, entry) in was.iter().enumerate() {
        let at = scene.shape.address(i);
        let vma = vmas.iter().position(|v| v.start <= at && at < v.end);
        let bits = entry.0 & ((1 << 55) | (1 << 57));
        // The other pages are folios of their own.
        let this = (gone(i) && scene.is_own(k, i)).then_some((
            at.wrapping_sub(bytes(i)),
            vma,
            at / table,
            bits,
        ));
        least += u64::from(this.is_some() && this != last);
        last = this;
    }
    least
}
