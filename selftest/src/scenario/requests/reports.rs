// SPDX-License-Identifier: GPL-2.0

//! What is accepted, and what the files then say.

use super::{one_folio, request_for};
use crate::subject::Family;
use crate::sys::errno_name;
use crate::trigger::{self, Path, Report, Trigger};
use crate::verdict::{Checks, Stop};

pub fn read_first(checks: &mut Checks) -> Result<(), Stop> {
    let text = Trigger::open()?.read(4096)?;
    checks.eq("odd lines", Report::parse(&text).odd_lines, Vec::new());
    Ok(())
}

pub fn accepted(checks: &mut Checks) -> Result<(), Stop> {
    let forms: [(&str, bool); 8] = [
        ("PID ADDR", false),
        ("PID ADDR\n", false),
        ("PID DECIMAL\n", false),
        ("  PID   ADDR  \n", false),
        ("PID ADDR LEN\n", false),
        ("PID ADDR reclaim=1\n", true),
        ("PID ADDR reclaim=1 path=kernel\n", true),
        ("PID ADDR LEN path=batched reclaim=0\n", false),
    ];
    for (form, reclaim) in forms {
        checks.context(format!("{form:?}"));
        let family = Family::new(1)?;
        let shape = one_folio(&family)?;
        let text = form
            .replace("PID", &shape.subjects[0].pid.to_string())
            .replace("ADDR", &format!("{:#x}", shape.folio.address))
            .replace("DECIMAL", &shape.folio.address.to_string())
            .replace("LEN", &shape.folio.len().to_string());
        let before = shape.look()?;
        let file = Trigger::open()?;
        checks.eq(
            "errno",
            errno_name(file.write(text.as_bytes())?),
            "ok".into(),
        );
        let after = shape.look()?;
        let all = after.processes[0].pages.iter().all(|e| e.swapped());
        checks.that(all, || "not all pages are swapped".into());
        let report = Report::parse(&file.read(4096)?);
        let path = match form.contains("path=kernel") {
            true => "kernel",
            false => "batched",
        };
        checks.eq("report path", report.get("path"), Some(path));
        let number = |key| report.number(key);
        checks.eq("report reclaim", number("reclaim"), Some(reclaim.into()));
        let out = after.system.moved(&before.system, "pswpout");
        let want = if reclaim { shape.folio.pages } else { 0 };
        checks.eq("pswpout", out, want as i64);
    }
    Ok(())
}

pub fn report_in_pieces(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let file = Trigger::open()?;
    file.request(&request_for(&shape, Path::Batched))?;
    let all = file.read(1 << 16)?;
    checks.eq("1 byte a read", file.read(1)?, all.clone());
    checks.eq("7 bytes a read", file.read(7)?, all.clone());
    checks.that(all.ends_with('\n'), || "no newline at the end".into());
    let report = Report::parse(&all);
    checks.eq("odd lines", &report.odd_lines, &Vec::new());
    for key in Report::KEYS {
        checks.that(report.get(key).is_some(), || {
            format!("no {key} in the report")
        });
    }
    Ok(())
}

pub fn write_at_offset(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let request = request_for(&shape, Path::Batched);
    let file = Trigger::open()?;
    // After a first request the position is odd as well, so this must be a request like any other.
    let errno = file.write_at(request.to_string().as_bytes(), 7)?;
    checks.eq("errno", errno_name(errno), "ok".into());
    let report = Report::parse(&file.read(4096)?);
    checks.eq("report result", report.get("result"), Some("ok"));
    Ok(())
}

pub fn two_files(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(2)?;
    let shapes = [one_folio(&family)?, one_folio(&family)?];
    let files = [Trigger::open()?, Trigger::open()?];
    for (file, shape) in files.iter().zip(&shapes) {
        file.request(&request_for(shape, Path::Batched))?;
    }
    // A refused request on one changes nothing for the other.
    let gone = format!("{} 0x1000", shapes[1].subjects[0].pid);
    files[1].write(gone.as_bytes())?;
    let read = |i: usize| -> Result<Report, Stop> { Ok(Report::parse(&files[i].read(64)?)) };
    let pid = |i: usize| Some(shapes[i].subjects[0].pid as u64);
    checks.eq("pid on the first", read(0)?.number("pid"), pid(0));
    checks.eq("result on the first", read(0)?.get("result"), Some("ok"));
    checks.eq("pid on the second", read(1)?.number("pid"), pid(1));
    checks.eq(
        "result on the second",
        read(1)?.get("result"),
        Some("ENOENT"),
    );
    Ok(())
}

pub fn fresh_file(checks: &mut Checks) -> Result<(), Stop> {
    let family = Family::new(1)?;
    let shape = one_folio(&family)?;
    let file = Trigger::open()?;
    file.request(&request_for(&shape, Path::Kernel))?;
    let own = file.read(4096)?;
    checks.that(!own.is_empty(), || "no report".into());
    checks.eq("report on a fresh file", Trigger::open()?.read(4096)?, own);
    Ok(())
}

pub fn totals(checks: &mut Checks) -> Result<(), Stop> {
    for path in Path::BOTH {
        checks.context(path.to_string());
        let family = Family::new(1)?;
        let shape = one_folio(&family)?;
        let before = trigger::stats()?;
        let answer = trigger::request(&request_for(&shape, path))?;
        let after = trigger::stats()?;
        checks.eq("odd lines", &after.odd_lines, &Vec::new());
        let moved = |key: &str| Some(after.number(key)? - before.number(key)?);
        checks.eq("requests", moved("requests"), Some(1));
        let kernel = u64::from(path == Path::Kernel);
        checks.eq("requests_kernel", moved("requests_kernel"), Some(kernel));
        for key in [
            "folios",
            "pages",
            "unmapped",
            "failed",
            "batches",
            "runs",
            "restored",
            "reclaimed",
        ] {
            checks.eq(key, moved(key), answer.report.number(key));
        }
        let batched = u64::from(path == Path::Batched);
        for len in [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048] {
            let want = if len == shape.folio.pages { batched } else { 0 };
            let key = format!("batch_len_{len}");
            checks.eq(&key, moved(&key), Some(want));
        }
    }
    Ok(())
}
