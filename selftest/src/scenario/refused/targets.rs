// SPDX-License-Identifier: GPL-2.0

//! What requests are refused for.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

use crate::knobs;
use crate::observe::{kpage, mthp, pagemap, smaps};
use crate::shape::folio::drain_lists;
use crate::shape::{self, bytes, Folio, Mapping};
use crate::subject::Subject;
use crate::sys::page_size;
use crate::verdict::Stop;

const RW: i32 = libc::PROT_READ | libc::PROT_WRITE;
const PRIVATE: i32 = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

/// Files that the subject maps; opened before it is forked, so that it has them too.
pub(super) struct Files {
    page: File,
    memory: io::Result<File>,
}

impl Files {
    /// Opens them.
    pub(super) fn open() -> Result<Self, Stop> {
        Ok(Files {
            page: page_file()?,
            memory: File::open("/dev/mem"),
        })
    }
}

/// Where a request points, made in a subject.
pub(super) type Target = fn(&Subject<'_>, &Files) -> Result<u64, Stop>;

/// What it is, the error it must give, and how it is made.
pub(super) const TARGETS: [(&str, &str, Target); 25] = [
    ("file, private", "EOPNOTSUPP", file_private),
    ("file, a private copy", "EOPNOTSUPP", file_private_copy),
    ("file, shared", "EOPNOTSUPP", file_shared),
    ("the program's text", "EOPNOTSUPP", program_text),
    ("shared anonymous memory", "EOPNOTSUPP", shmem),
    ("hugetlb", "EOPNOTSUPP", hugetlb),
    ("KSM page", "EOPNOTSUPP", ksm),
    ("zero page", "EOPNOTSUPP", zero_page),
    ("huge zero page", "EOPNOTSUPP", huge_zero_page),
    ("device memory", "EOPNOTSUPP", device_memory),
    ("vdso", "EOPNOTSUPP", |s, _| special(s, "[vdso]")),
    ("vvar", "EOPNOTSUPP", |s, _| special(s, "[vvar]")),
    ("vsyscall", "ENOENT", |s, _| special(s, "[vsyscall]")),
    ("never touched", "ENOENT", |s, _| {
        s.map(bytes(16), RW, PRIVATE, -1)
    }),
    ("unmapped", "ENOENT", unmapped),
    ("already swapped", "ENOENT", already_swapped),
    ("address 0", "ENOENT", |_, _| Ok(0)),
    ("the last byte of all", "ENOENT", |_, _| Ok(u64::MAX)),
    ("the last page of all", "ENOENT", |_, _| {
        Ok(u64::MAX - bytes(1) + 1)
    }),
    ("the middle of all", "ENOENT", |_, _| Ok(1 << 63)),
    ("no canonical address", "ENOENT", |_, _| {
        Ok(0x8000_0000_0000)
    }),
    ("kernel text", "ENOENT", kernel_text),
    ("mlocked page", "EBUSY", |s, _| mlocked(s, 0)),
    ("mlocked folio of 16 pages", "EBUSY", |s, _| mlocked(s, 4)),
    ("mlocked folio by PMD", "EBUSY", |s, _| {
        mlocked(s, mthp::pmd_order())
    }),
];

/// A file of one page.
pub fn page_file() -> Result<File, Stop> {
    let path = format!("/tmp/selftest.{}", std::process::id());
    fs::write(&path, vec![1; page_size()])?;
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

fn file_private(subject: &Subject<'_>, files: &Files) -> Result<u64, Stop> {
    let at = subject.map(bytes(1), RW, libc::MAP_PRIVATE, files.page.as_raw_fd())?;
    subject.peek(at)?;
    Ok(at)
}

/// The page is anonymous, the VMA is not.
fn file_private_copy(subject: &Subject<'_>, files: &Files) -> Result<u64, Stop> {
    let at = subject.map(bytes(1), RW, libc::MAP_PRIVATE, files.page.as_raw_fd())?;
    subject.poke(at, 2)?;
    drain_lists()?;
    let entry = pagemap::read(subject.pid, at, 1)?[0];
    let anon = |pfn| kpage::flags(pfn, 1).map(|flags| flags[0].has("anon") && flags[0].has("lru"));
    match entry.pfn().map(anon).transpose()? {
        Some(true) if !entry.file() => Ok(at),
        _ => Err(Stop::Skip(format!("no private copy: {:#x}", entry.0))),
    }
}

fn file_shared(subject: &Subject<'_>, files: &Files) -> Result<u64, Stop> {
    let at = subject.map(bytes(1), RW, libc::MAP_SHARED, files.page.as_raw_fd())?;
    subject.poke(at, 2)?;
    Ok(at)
}

fn program_text(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let at = program_text as usize as u64;
    subject.peek(at)?;
    Ok(at)
}

fn shmem(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    let at = subject.map(bytes(16), RW, flags, -1)?;
    subject.poke(at, 1)?;
    Ok(at)
}

fn hugetlb(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let skip = |e: &dyn std::fmt::Display| Stop::Skip(format!("no hugetlb page: {e}"));
    knobs::write("/proc/sys/vm/nr_hugepages", "1").map_err(|e| skip(&e))?;
    let len = bytes(1 << mthp::pmd_order());
    let at = subject
        .map(len, RW, PRIVATE | libc::MAP_HUGETLB, -1)
        .map_err(|e| skip(&format!("{e:?}")))?;
    subject.poke(at, 1)?;
    Ok(at + bytes(3))
}

fn ksm(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    shape::ksm_page(subject)
}

fn zero_page(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let at = subject.map(bytes(4), RW, PRIVATE, -1)?;
    subject.madvise(at, bytes(4), libc::MADV_NOHUGEPAGE)?;
    subject.peek(at)?;
    Ok(at)
}

fn huge_zero_page(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let len = bytes(1 << mthp::pmd_order());
    knobs::only_folios_of(Some(len as usize / 1024))?;
    let at = subject.map(2 * len, RW, PRIVATE, -1)?;
    let at = at.next_multiple_of(len);
    subject.madvise(at, len, libc::MADV_HUGEPAGE)?;
    subject.peek(at)?;
    let entries = pagemap::read(subject.pid, at, 2)?;
    match entries[1].present() {
        true => Ok(at + bytes(1)),
        false => Err(Stop::Skip("a read maps no huge zero page".into())),
    }
}

fn device_memory(subject: &Subject<'_>, files: &Files) -> Result<u64, Stop> {
    let skip = |e: String| Stop::Skip(format!("no device memory to map: {e}"));
    let memory = files.memory.as_ref().map_err(|e| skip(e.to_string()))?;
    let (prot, flags) = (libc::PROT_READ as u64, libc::MAP_SHARED as u64);
    // Places that are no RAM on a PC, and on QEMU's virt machine.
    for place in [0xf0000, 0xa0000, 0x0c00_0000, 0x0800_0000, 0x3eff_0000] {
        let args = [0, bytes(1), prot, flags, memory.as_raw_fd() as u64, place];
        if let Ok(at) = subject.syscall(libc::SYS_mmap, args)? {
            return Ok(at);
        }
    }
    Err(skip("the kernel refuses all places tried".into()))
}

fn special(subject: &Subject<'_>, name: &str) -> Result<u64, Stop> {
    let range = smaps::named(subject.pid, name)?;
    let (at, _) = range.ok_or(Stop::Skip(format!("no {name} in this process")))?;
    // vsyscall may be for execution only.
    if name != "[vsyscall]" {
        subject.peek(at)?;
    }
    Ok(at)
}

fn unmapped(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let at = subject.map(bytes(16), RW, PRIVATE, -1)?;
    subject.poke(at, 1)?;
    subject.unmap(at, bytes(16))?;
    Ok(at)
}

fn already_swapped(subject: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let folio = Folio::make(subject, 4, Mapping::Pte, libc::MAP_PRIVATE)?;
    subject.madvise(folio.address, folio.len(), libc::MADV_PAGEOUT)?;
    match pagemap::read(subject.pid, folio.address, 1)?[0].swapped() {
        true => Ok(folio.address),
        false => Err(Stop::Skip("MADV_PAGEOUT did not work".into())),
    }
}

fn kernel_text(_: &Subject<'_>, _: &Files) -> Result<u64, Stop> {
    let symbols = fs::read_to_string("/proc/kallsyms")?;
    let line = symbols.lines().find(|l| l.ends_with(" T _stext"));
    let word = line.and_then(|l| l.split(' ').next()).unwrap_or("0");
    match u64::from_str_radix(word, 16) {
        Ok(0) | Err(_) => Err(Stop::Skip("/proc/kallsyms hides addresses".into())),
        Ok(at) => Ok(at),
    }
}

fn mlocked(subject: &Subject<'_>, order: u32) -> Result<u64, Stop> {
    let mapping = match order == mthp::pmd_order() {
        true => Mapping::Pmd,
        false => Mapping::Pte,
    };
    let folio = Folio::make(subject, order, mapping, libc::MAP_PRIVATE)?;
    let args = [folio.address, folio.len(), 0, 0, 0, 0];
    subject
        .syscall(libc::SYS_mlock, args)?
        .map_err(|e| Stop::Skip(format!("mlock: {e}")))?;
    Ok(folio.address)
}
