//! What the other tasks need and a fresh clone lacks.

use std::fs;

use crate::command::{Result, program, root, step};

/// Gets everything; safe to run again.
pub(crate) fn run() -> Result {
    node_packages()
}

/// Installs the npm packages of `js/`, among them the ONNX Runtime library,
/// unless the lock file is the one that was installed last.
pub(crate) fn node_packages() -> Result {
    let js = root().join("js");
    let stamp = js.join("node_modules/.installed-lock");
    let lock_file = js.join("package-lock.json");
    let lock = fs::read(&lock_file).map_err(|error| format!("{}: {error}", lock_file.display()))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    step(
        "npm packages, with the ONNX Runtime library",
        program("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&js),
    )?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))
}
