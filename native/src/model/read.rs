//! Reading of whole files.

use std::fs;
use std::path::Path;

use multivec_graph::{Error, Result};

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| reading(path, source))
}

pub(super) fn reading(path: &Path, source: std::io::Error) -> Error {
    Error::io(path.display().to_string(), "reading", source)
}
