//! Where the ONNX Runtime library is looked for.

use std::collections::HashSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Names of the library in a folder, without the versioned ones.
#[cfg(target_os = "windows")]
const PLAIN: &str = "onnxruntime.dll";
#[cfg(target_vendor = "apple")]
const PLAIN: &str = "libonnxruntime.dylib";
#[cfg(not(any(target_os = "windows", target_vendor = "apple")))]
const PLAIN: &str = "libonnxruntime.so";

/// A place to look at.
pub(super) struct Place {
    pub(super) path: PathBuf,
    pub(super) origin: &'static str,
}

/// Every place, in the order of the README; only the first where the user
/// named one, so that a mistake there is not covered up.
pub(super) fn places(option: Option<&Path>) -> Vec<Place> {
    // A bare name would be looked for in other folders by the loader than by us.
    let explicit = |path: PathBuf, origin| {
        let path = std::path::absolute(&path).unwrap_or(path);
        vec![Place { path, origin }]
    };
    if let Some(path) = option {
        return explicit(path.to_owned(), "the option `library`");
    }
    if let Some(path) = env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        return explicit(path.into(), "ORT_DYLIB_PATH");
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

/// The kinds of places, for messages.
pub(super) fn described() -> String {
    format!(
        "the option `library`, ORT_DYLIB_PATH, {PLAIN} beside the executable, \
         js/node_modules/onnxruntime-node here or in a folder above, onnxruntime/capi of an \
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
        name.eq_ignore_ascii_case(PLAIN)
    } else {
        name == PLAIN
            || name
                .strip_prefix("libonnxruntime.so.")
                .is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()))
    }
}
