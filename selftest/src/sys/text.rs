// SPDX-License-Identifier: GPL-2.0

//! What the kernel shows as text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// What most files of /proc and /sys fit in.
const ROOM: usize = 16 << 10;

/// Reads all of a file of /proc or /sys.
///
/// Such files do not tell how long they are: `std::fs::read_to_string()` asks, and then begins with 32
/// bytes and doubles them, up to ten system calls where two do.
pub fn read_text(path: impl AsRef<Path>) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut text = vec![0; ROOM];
    let mut len = 0;
    loop {
        match file.read(&mut text[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if len == text.len() {
            text.resize(2 * len, 0);
        }
    }
    text.truncate(len);
    String::from_utf8(text).map_err(io::Error::other)
}
