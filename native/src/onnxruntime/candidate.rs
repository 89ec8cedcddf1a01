//! Files that may be the ONNX Runtime library. They are checked before `ort`
//! loads one, so that a missing or wrong file is an error and never a panic.

use std::ffi::CStr;
use std::fmt;
use std::path::{Path, PathBuf};

use super::search_paths::Place;
use super::{elf, telemetry};

/// The minor version of the oldest library that can be used, 1.x.
pub(super) const OLDEST: u32 = ort::MINOR_VERSION;

/// A file that may be the ONNX Runtime library.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Where it comes from, such as `ORT_DYLIB_PATH`.
    pub origin: &'static str,
    /// Its version, or why it cannot be used.
    pub outcome: std::result::Result<String, String>,
}

impl fmt::Display for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, origin) = (self.path.display(), self.origin);
        match &self.outcome {
            Ok(version) => write!(f, "{path} ({origin}): version {version}"),
            Err(reason) => write!(f, "{path} ({origin}): {reason}"),
        }
    }
}

/// Opens a library to read its version.
pub(super) fn probe(place: &Place) -> Candidate {
    let outcome = match place.path.metadata() {
        Err(error) => Err(error.to_string()),
        Ok(file) if !file.is_file() => Err("expected a file, found a folder or device".to_owned()),
        Ok(_) => version_of(&place.path).and_then(|version| match minor(&version) {
            Some(minor) if minor >= OLDEST => Ok(version),
            _ => Err(format!(
                "expected version 1.{} or newer, found {version}",
                OLDEST
            )),
        }),
    };
    Candidate {
        path: place.path.clone(),
        origin: place.origin,
        outcome,
    }
}

fn version_of(path: &Path) -> std::result::Result<String, String> {
    type GetApiBase = unsafe extern "C" fn() -> *const ort::sys::OrtApiBase;
    elf::check_complete(path)?;
    telemetry::turn_off();
    // SAFETY: opening a library runs its initializers, which must be sound.
    // That cannot be checked; whoever names the file, or puts it where the
    // library belongs, answers for it. Truncated files were refused above.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: a library that exports `OrtGetApiBase` is ONNX Runtime, which
    // has kept the signature and the layout of `OrtApiBase` since its first
    // release. The pointers are to static data, valid until `library` is
    // dropped at the end of this function; the version is copied before.
    unsafe {
        let get_base: libloading::Symbol<'_, GetApiBase> = library
            .get(b"OrtGetApiBase")
            .map_err(|_| "expected ONNX Runtime, found another library".to_owned())?;
        let base = get_base();
        if base.is_null() {
            return Err("expected an API, found none".to_owned());
        }
        let version = ((*base).GetVersionString)();
        if version.is_null() {
            return Err("expected a version, found none".to_owned());
        }
        let version = CStr::from_ptr(version).to_string_lossy().into_owned();
        // `ort` panics on a library that lacks the API. Libraries that are too
        // old write to standard error when they are asked for it.
        let known = minor(&version).is_some_and(|minor| minor >= OLDEST);
        if known && ((*base).GetApi)(OLDEST).is_null() {
            return Err(format!(
                "expected the API of version 1.{}, found none in version {version}",
                OLDEST
            ));
        }
        Ok(version)
    }
}

fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_versions() {
        assert_eq!(minor("1.30.0"), Some(30));
        assert_eq!(minor("1.9.1-rc"), Some(9));
        assert_eq!(minor("2.0.0"), None);
        assert_eq!(minor(""), None);
    }
}
