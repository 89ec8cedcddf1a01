//! What the other tasks need and a fresh clone lacks.

use std::fs;

use crate::browser::{browser, others};
use crate::command::{Result, program, root, step};
use crate::tools;

/// The target of everything that runs in a browser.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Gets everything; safe to run again.
pub(crate) fn run() -> Result {
    node_packages()?;
    rust_target(WASM)?;
    rust_component("rust-src")?;
    tools::WASM_BINDGEN.install()?;
    browser()?;
    others()
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

/// Adds a target where rustup manages the toolchain and it is missing.
pub(crate) fn rust_target(target: &str) -> Result {
    add("target", target)
}

/// Adds a component where rustup manages the toolchain and it is missing.
pub(crate) fn rust_component(component: &str) -> Result {
    add("component", component)
}

fn add(kind: &str, name: &str) -> Result {
    let Ok(listed) = program("rustup")
        .args([kind, "list", "--installed"])
        .output()
    else {
        return Ok(());
    };
    // Components are listed with the name of the platform behind theirs.
    let is_there = String::from_utf8_lossy(&listed.stdout)
        .lines()
        .any(|line| line == name || kind == "component" && line.starts_with(&format!("{name}-")));
    if is_there {
        return Ok(());
    }
    step(
        &format!("the {kind} {name}"),
        program("rustup").args([kind, "add", name]),
    )
}
