//! Loading of the ONNX Runtime library: checked first, then handed to `ort`,
//! so that a missing or wrong file is an error and never a panic.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use multivec_core::{Error, Result};
use ort::environment::Environment;

use super::ENGINE;
use super::elf;
use super::search_paths::{self, Place};

/// A file that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The file.
    pub path: PathBuf,
    /// Why it was looked at, such as `ORT_DYLIB_PATH`.
    pub origin: &'static str,
    /// Its version, or why it was refused.
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

/// The ONNX Runtime library of this process.
#[derive(Clone, Debug)]
pub struct OnnxRuntime {
    path: PathBuf,
    version: String,
    environment: Environment,
}

// A process can hold one library and one environment.
static LOADED: OnceLock<OnnxRuntime> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

impl OnnxRuntime {
    /// The oldest version that can be used, 1.x.
    pub const OLDEST: u32 = ort::MINOR_VERSION;

    /// Finds and loads the library, once a process. It is looked for at
    /// `library`, in `ORT_DYLIB_PATH`, beside the executable, in
    /// `js/node_modules/onnxruntime-node` of this folder or one above it, in
    /// the active Python environment, in the system's library folders. Where
    /// one of the first two is given, nothing else is tried.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if there is none, it is no library or too
    /// old; [`Error::InvalidOption`] if this process already uses another file
    /// than `library`.
    pub fn load(library: Option<&Path>) -> Result<Self> {
        let _guard = LOADING.lock().unwrap_or_else(|lock| lock.into_inner());
        if let Some(loaded) = LOADED.get() {
            return match library {
                Some(path) if !same_file(path, &loaded.path) => Err(Error::option(
                    "library",
                    format!("{}, which this process has loaded", loaded.path.display()),
                    path.display(),
                )),
                _ => Ok(loaded.clone()),
            };
        }
        let mut tried = Vec::new();
        for place in search_paths::places(library) {
            let candidate = probe(&place);
            let usable = candidate.outcome.clone().and_then(|version| {
                let environment = initialize(&place.path)?;
                Ok(Self {
                    path: place.path.clone(),
                    version,
                    environment,
                })
            });
            match usable {
                Ok(runtime) => return Ok(LOADED.get_or_init(|| runtime).clone()),
                Err(reason) => tried.push(Candidate {
                    outcome: Err(reason),
                    ..candidate
                }),
            }
        }
        Err(unavailable(&tried))
    }

    /// Looks at every place without loading anything for use.
    pub fn candidates(library: Option<&Path>) -> Vec<Candidate> {
        search_paths::places(library).iter().map(probe).collect()
    }

    /// The library's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The library's version, such as `1.30.0`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The execution providers that the library was built with.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if the library does not tell.
    pub fn providers(&self) -> Result<Vec<String>> {
        let mut names: *mut *mut c_char = std::ptr::null_mut();
        let mut count = 0;
        let api = ort::api();
        // SAFETY: both out-pointers are valid, and the list is released below
        // by the API that made it; the status is taken over by `ort`.
        let listed = unsafe {
            ort::Error::result_from_status((api.GetAvailableProviders)(&mut names, &mut count))
        };
        listed.map_err(|error| Error::EngineUnavailable {
            engine: ENGINE,
            expected: "a library that lists its execution providers".to_owned(),
            tried: format!("{}: {error}", self.path.display()),
        })?;
        let found = (0..usize::try_from(count).unwrap_or(0))
            .map(|at| {
                // SAFETY: the list has `count` zero-terminated strings.
                let name = unsafe { CStr::from_ptr(*names.add(at)) };
                name.to_string_lossy().into_owned()
            })
            .collect();
        // SAFETY: `names` and `count` are as the library gave them.
        drop(unsafe {
            ort::Error::result_from_status((api.ReleaseAvailableProviders)(names, count))
        });
        Ok(found)
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }
}

fn same_file(left: &Path, right: &Path) -> bool {
    match (left.canonicalize(), right.canonicalize()) {
        (Ok(left), Ok(right)) => left == right,
        _ => left == right,
    }
}

fn probe(place: &Place) -> Candidate {
    let outcome = match place.path.metadata() {
        Err(error) => Err(error.to_string()),
        Ok(file) if !file.is_file() => Err("expected a file, found a folder or device".to_owned()),
        Ok(_) => version_of(&place.path).and_then(|version| match minor(&version) {
            Some(minor) if minor >= OnnxRuntime::OLDEST => Ok(version),
            _ => Err(format!(
                "expected version 1.{} or newer, found {version}",
                OnnxRuntime::OLDEST
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
    // SAFETY: the user, or a well-known place, names the file as the ONNX
    // Runtime library; loading it runs its initializers.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| error.to_string())?;
    // SAFETY: the symbol has had this signature since the library's first
    // release, and the pointer it gives is valid while the library is loaded.
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
        // `ort` panics on a library that lacks the API; one that is too old
        // complains on standard error when it is asked.
        let known = minor(&version).is_some_and(|minor| minor >= OnnxRuntime::OLDEST);
        if known && ((*base).GetApi)(OnnxRuntime::OLDEST).is_null() {
            return Err(format!(
                "expected the API of version 1.{}, found none in version {version}",
                OnnxRuntime::OLDEST
            ));
        }
        Ok(version)
    }
}

fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

fn initialize(path: &Path) -> std::result::Result<Environment, String> {
    ort::init_from(path)
        .map_err(|error| error.to_string())?
        .with_name("multivec")
        .with_telemetry(false)
        .build()
        .map_err(|error| error.to_string())
}

fn unavailable(tried: &[Candidate]) -> Error {
    let tried = match tried {
        [] => format!(
            "{}; no file there has the library's name",
            search_paths::described()
        ),
        some => some
            .iter()
            .map(Candidate::to_string)
            .collect::<Vec<_>>()
            .join("; "),
    };
    Error::EngineUnavailable {
        engine: ENGINE,
        expected: format!(
            "expected the shared library of ONNX Runtime 1.{} or newer, from the npm package \
             `onnxruntime-node` or the Python package `onnxruntime`",
            OnnxRuntime::OLDEST
        ),
        tried,
    }
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

    #[test]
    fn a_text_file_is_no_library() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let found = OnnxRuntime::candidates(Some(&path));
        assert_eq!(found.len(), 1);
        assert!(found[0].outcome.is_err(), "{:?}", found[0]);
    }
}
