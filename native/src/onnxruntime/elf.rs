//! A check of a shared library before the system's loader maps it.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// Refuses a truncated library, such as a broken download: the loader would map
/// it, and the first access beyond its end would kill the process.
///
/// Only 64-bit little-endian ELF is checked; the loader checks other formats.
pub(super) fn check_complete(path: &Path) -> Result<(), String> {
    let present = path.metadata().map_err(|error| error.to_string())?.len();
    match needed(path) {
        Ok(needed) if needed > present => Err(format!(
            "expected a library of at least {needed} bytes, found a file of {present}"
        )),
        // The loader refuses what cannot be read as ELF.
        _ => Ok(()),
    }
}

/// The size in bytes that its headers and loadable segments require. Layout:
/// System V ABI, "ELF-64 Object File Format".
fn needed(path: &Path) -> io::Result<u64> {
    const LOADABLE: u32 = 1;
    let mut file = File::open(path)?;
    let mut header = [0; 64];
    file.read_exact(&mut header)?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return Ok(0);
    }
    let table = number(&header[32..40]);
    let (size, count) = (number(&header[54..56]), number(&header[56..58]));
    let mut needed = table.saturating_add(size * count);
    for at in 0..count {
        let mut segment = [0; 56];
        file.seek(SeekFrom::Start(table.saturating_add(at * size)))?;
        if file.read_exact(&mut segment).is_err() {
            break;
        }
        if number(&segment[..4]) == u64::from(LOADABLE) {
            let end = number(&segment[8..16]).saturating_add(number(&segment[32..40]));
            needed = needed.max(end);
        }
    }
    Ok(needed)
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, &byte| number << 8 | u64::from(byte))
}
