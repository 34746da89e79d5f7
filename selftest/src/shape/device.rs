// SPDX-License-Identifier: GPL-2.0

//! A folio of which a device has some pages for itself: their entries are not present, and still
//! map them (device-exclusive entries, made by the kernel's own test of HMM, `CONFIG_TEST_HMM`).

use std::path::Path;
use std::process::Command;

use super::{exclusive, Mapping, Shape};
use crate::ioctl;
use crate::subject::{Family, Subject};
use crate::verdict::{lacking, Stop};

const DEVICE: &str = "/dev/hmm_dmirror0";

// lib/test_hmm_uapi.h
const HMM_DMIRROR_EXCLUSIVE: u64 = ioctl::number_both(b'H', 5, 40);

/// Where in the memory that is shared with subjects the device copies a page to.
const COPY_AT: u64 = 16 << 10;

/// A folio of one process; the device has the pages for which `taken` is true.
pub fn device_exclusive<'f>(
    family: &'f Family,
    order: u32,
    taken: &dyn Fn(usize) -> bool,
) -> Result<Shape<'f>, Stop> {
    load()?;
    let mut shape = exclusive(family, order, Mapping::Pte)?;
    let device = open(&shape.subjects[0])?;
    for i in (0..shape.folio.pages).filter(|i| taken(*i)) {
        let copy = family.scratch.address() + COPY_AT;
        take(&shape.subjects[0], device, shape.folio.page(i), copy)?;
        // What is not present is taken alone.
        shape.new_part(&(i..i + 1));
    }
    let seen = shape.look()?;
    let odd = (0..shape.folio.pages).find(|i| seen.processes[0].pages[*i].present() == taken(*i));
    match odd {
        Some(i) => Err(Stop::Fail(format!(
            "page {i} is not as the device should have it"
        ))),
        None => Ok(shape),
    }
}

fn load() -> Result<(), Stop> {
    if !Path::new(DEVICE).exists() {
        let loaded = Command::new("modprobe").arg("test_hmm").output();
        if !loaded.is_ok_and(|done| done.status.success()) || !Path::new(DEVICE).exists() {
            return Err(lacking(
                "no module test_hmm for this kernel (CONFIG_TEST_HMM)",
            ));
        }
    }
    Ok(())
}

/// Opens the device: it mirrors the memory of who does that.
fn open(subject: &Subject<'_>) -> Result<u64, Stop> {
    let mut name = [0; 24];
    name[..DEVICE.len()].copy_from_slice(DEVICE.as_bytes());
    let words: Vec<_> = name
        .chunks_exact(8)
        .map(|word| u64::from_ne_bytes(word.try_into().unwrap_or_default()))
        .collect();
    let path = subject.pass(&words);
    let args = [libc::AT_FDCWD as u64, path, libc::O_RDWR as u64, 0, 0, 0];
    Ok(subject.syscall(libc::SYS_openat, args)??)
}

/// Has the device take a page.
fn take(subject: &Subject<'_>, device: u64, at: u64, copy: u64) -> Result<(), Stop> {
    let command = subject.pass(&[at, copy, 1, 0, 0]);
    let args = [device, HMM_DMIRROR_EXCLUSIVE, command, 0, 0, 0];
    subject.syscall(libc::SYS_ioctl, args)??;
    Ok(())
}
