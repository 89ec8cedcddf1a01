//! Loading of the ONNX Runtime library.

use std::ffi::{CStr, c_char};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use multivec_core::{Error, Result};
use ort::environment::Environment;

use super::ENGINE;
use super::candidate::{self, Candidate, probe};
use super::search_paths;

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
    /// The minor version of the oldest library that can be used, 1.x.
    pub const OLDEST: u32 = candidate::OLDEST;

    /// Finds and loads the library, once a process. It is looked for at
    /// `library`, in `ORT_DYLIB_PATH`, beside the executable, in
    /// `js/node_modules/onnxruntime-node` of the current folder or one above
    /// it, in the active Python environment, and in the system's library
    /// folders. If one of the first two is given, nothing else is tried.
    ///
    /// # Telemetry
    /// From version 1.29 on, ONNX Runtime sends usage data to its maker on
    /// Linux and macOS. So that nothing leaves the machine, the first call
    /// sets `ORT_DISABLE_TELEMETRY=1` in the environment of this process
    /// before it opens a library, unless the variable is set already, to
    /// whatever value.
    ///
    /// On Unix, a change of the environment must not coincide with code that
    /// reads it without the lock of [`mod@std::env`], such as a C library that
    /// calls `getenv` on another thread. An application that cannot rule that
    /// out sets the variable itself before it starts threads.
    ///
    /// # Errors
    /// [`Error::EngineUnavailable`] if there is no library, or the file is not
    /// one, or it is too old; [`Error::InvalidOption`] if this process already
    /// uses another file than `library`.
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

    /// Looks at every place, opening each library to read its version. None
    /// is kept. Telemetry is turned off as in [`load`](Self::load).
    pub fn candidates(library: Option<&Path>) -> Vec<Candidate> {
        search_paths::places(library).iter().map(probe).collect()
    }

    /// Whether `ORT_DYLIB_PATH` names the library.
    pub(crate) fn is_named() -> bool {
        search_paths::named(None).is_some()
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
    /// [`Error::EngineUnavailable`] if the library does not list them.
    pub fn providers(&self) -> Result<Vec<String>> {
        let mut names: *mut *mut c_char = std::ptr::null_mut();
        let mut count = 0;
        let api = ort::api();
        // SAFETY: `api` belongs to the loaded library, which `ort` never
        // unloads. Both out-pointers are to locals, and `ort` releases the
        // status.
        let listed = unsafe {
            ort::Error::result_from_status((api.GetAvailableProviders)(&mut names, &mut count))
        };
        listed.map_err(|error| {
            Error::engine_unavailable(
                ENGINE,
                "expected a library that lists its execution providers",
                format_args!("{}: {error}", self.path.display()),
            )
        })?;
        let found = (0..usize::try_from(count).unwrap_or(0))
            .map(|at| {
                // SAFETY: the call above succeeded, so `names` points to
                // `count` zero-terminated strings, which live until they are
                // released below.
                let name = unsafe { CStr::from_ptr(*names.add(at)) };
                name.to_string_lossy().into_owned()
            })
            .collect();
        // SAFETY: `names` and `count` are unchanged since the library set
        // them, and nothing refers to the strings any more.
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
    let expected = format!(
        "expected the shared library of ONNX Runtime 1.{} or newer, from the npm package \
         `onnxruntime-node` or the Python package `onnxruntime`",
        OnnxRuntime::OLDEST
    );
    Error::engine_unavailable(ENGINE, expected, tried)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_file_is_no_library() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let found = OnnxRuntime::candidates(Some(&path));
        assert_eq!(found.len(), 1);
        assert!(found[0].outcome.is_err(), "{:?}", found[0]);
    }
}
