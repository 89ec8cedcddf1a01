//! Errors of files.

use std::io;
use std::path::Path;

use multivec_core::Error;

pub(super) fn failed(path: &Path, action: &'static str, source: io::Error) -> Error {
    Error::io(path.display(), action, source)
}
