//! Where to look for the ONNX Runtime library.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The name of the library, without a version.
#[cfg(target_os = "windows")]
const FILE_NAME: &str = "onnxruntime.dll";
#[cfg(target_vendor = "apple")]
const FILE_NAME: &str = "libonnxruntime.dylib";
#[cfg(not(any(target_os = "windows", target_vendor = "apple")))]
const FILE_NAME: &str = "libonnxruntime.so";

/// A place to look at.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) origin: &'static str,
}

/// Every place, in the order in which `OnnxRuntime::load` lists them; only
/// the user's own where there is one, so that a mistake there is not covered
/// up.
pub(super) fn places(option: Option<&Path>) -> Vec<Place> {
    if let Some(place) = named(option) {
        return vec![place];
    }
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut look = |origin, folder: PathBuf| {
        if seen.insert(folder.clone()) {
            let files = libraries(&folder).into_iter();
            found.extend(files.map(|path| Place { path, origin }));
        }
    };
    let executable = env::current_exe().ok();
    let beside = executable.as_deref().and_then(Path::parent);
    if let Some(folder) = beside {
        look("beside the executable", folder.to_owned());
    }
    let here = env::current_dir().ok();
    for start in [here.as_deref(), beside].into_iter().flatten() {
        for folder in start.ancestors() {
            look("the npm package onnxruntime-node", node_folder(folder));
        }
    }
    for variable in ["VIRTUAL_ENV", "CONDA_PREFIX"] {
        if let Some(root) = env::var_os(variable) {
            for folder in python_folders(Path::new(&root)) {
                look("the Python environment", folder);
            }
        }
    }
    for folder in system_folders() {
        look("the system's libraries", folder);
    }
    found
}

/// The file that the user names, if any.
pub(super) fn named(option: Option<&Path>) -> Option<Place> {
    let variable = || env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    let (path, origin) = match option {
        Some(path) => (path.to_owned(), "the option `library`"),
        None => (variable()?.into(), "ORT_DYLIB_PATH"),
    };
    // The loader would search other folders for a bare name.
    let path = std::path::absolute(&path).unwrap_or(path);
    Some(Place { path, origin })
}

/// The kinds of places, for messages.
pub(super) fn described() -> String {
    format!(
        "the option `library`, ORT_DYLIB_PATH, {FILE_NAME} beside the executable, \
         js/node_modules/onnxruntime-node in the current folder or one above it, onnxruntime/capi of an \
         active Python environment, the system's library folders"
    )
}

fn node_folder(project: &Path) -> PathBuf {
    let system = match env::consts::OS {
        "macos" => "darwin",
        "windows" => "win32",
        other => other,
    };
    let processor = match env::consts::ARCH {
        "x86_64" => "x64",
        "aarch64" => "arm64",
        other => other,
    };
    project
        .join("js/node_modules/onnxruntime-node/bin/napi-v6")
        .join(system)
        .join(processor)
}

fn python_folders(root: &Path) -> Vec<PathBuf> {
    let versions = fs::read_dir(root.join("lib"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("python"))
        });
    versions
        .chain([root.join("Lib")])
        .map(|library| library.join("site-packages/onnxruntime/capi"))
        .collect()
}

fn system_folders() -> Vec<PathBuf> {
    let variable = match env::consts::OS {
        "macos" => "DYLD_LIBRARY_PATH",
        "windows" => "PATH",
        _ => "LD_LIBRARY_PATH",
    };
    let listed = env::var_os(variable).unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&listed)
        .filter(|folder| folder.is_absolute())
        .collect();
    if cfg!(unix) {
        let triple = format!("/usr/lib/{}-linux-gnu", env::consts::ARCH);
        folders.extend(
            [
                "/usr/local/lib",
                &triple,
                "/usr/lib64",
                "/usr/lib",
                "/opt/homebrew/lib",
                "/opt/onnxruntime/lib",
            ]
            .map(PathBuf::from),
        );
    }
    folders
}

/// Files in `folder` that are named like the library, the plain name first.
fn libraries(folder: &Path) -> Vec<PathBuf> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_library_name(&entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .collect();
    names.sort();
    names
}

fn is_library_name(name: &str) -> bool {
    if cfg!(target_vendor = "apple") {
        name.starts_with("libonnxruntime.") && name.ends_with(".dylib")
    } else if cfg!(target_os = "windows") {
        name.eq_ignore_ascii_case(FILE_NAME)
    } else {
        name == FILE_NAME
            || name
                .strip_prefix("libonnxruntime.so.")
                .is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    }
}
