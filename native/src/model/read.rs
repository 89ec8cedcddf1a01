//! Reading of files.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;

use multivec_graph::{Error, FILE_START, Result, describe_wrong_file};

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| reading(path, source))
}

pub(super) fn reading(path: &Path, source: std::io::Error) -> Error {
    Error::io(path.display().to_string(), "reading", source)
}

/// Whether two paths lead to the same place.
pub(crate) fn is_same(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

/// Refuses a file that is one of the things that are often found in the place
/// of a model.
pub(super) fn wrong_file(path: &Path, mut file: &File, expected: &str) -> Result<()> {
    let failed = |source| reading(path, source);
    let mut start = Vec::new();
    file.take(FILE_START as u64)
        .read_to_end(&mut start)
        .map_err(failed)?;
    file.rewind().map_err(failed)?;
    match describe_wrong_file(&start) {
        Some(found) => Err(Error::file(&path.display().to_string(), expected, found)),
        None => Ok(()),
    }
}
