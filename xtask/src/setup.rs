//! What the other tasks need and a fresh clone lacks.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{Result, answers, cargo, program, root, step};

/// The target of everything that runs in a browser.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";

/// Gets everything; safe to run again.
pub(crate) fn run() -> Result {
    node_packages()?;
    wasm_target()?;
    wasm_pack()?;
    browser()?;
    Ok(())
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

/// Adds the WebAssembly target where rustup manages the toolchain.
pub(crate) fn wasm_target() -> Result {
    if !answers(program("rustup").arg("--version")) {
        return Ok(());
    }
    step(
        "the target wasm32-unknown-unknown",
        program("rustup").args(["target", "add", WASM]),
    )
}

/// The wasm-pack of this repository, installed on first use.
pub(crate) fn wasm_pack() -> Result<PathBuf> {
    const VERSION: &str = "0.15.1";
    let tools = tools();
    let path = tools.join("bin").join(executable("wasm-pack"));
    let found = Command::new(&path).arg("--version").output();
    let is_current = found.is_ok_and(|output| {
        String::from_utf8_lossy(&output.stdout).trim() == format!("wasm-pack {VERSION}")
    });
    if !is_current {
        step(
            "wasm-pack",
            cargo()
                .args(["install", "--locked", "--root"])
                .arg(&tools)
                .arg(format!("wasm-pack@{VERSION}")),
        )?;
    }
    Ok(path)
}

/// Where tools are installed, out of the way of the user's own.
pub(crate) fn tools() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| root().join("target"))
        .join("tools")
}

/// The `PATH` with those tools in front.
pub(crate) fn path_with_tools() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(tools().join("bin")).chain(env::split_paths(&path));
    env::join_paths(folders).map_err(|error| format!("PATH: {error}"))
}

/// A browser and its driver. Both are looked for on the `PATH`, and installed
/// where that needs no more than Debian's own packages.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

pub(crate) fn browser() -> Result<Browser> {
    if let Some(found) = find_browser() {
        return Ok(found);
    }
    if answers(program("apt-get").arg("--version")) {
        step("package lists", program("apt-get").args(["update", "-qq"]))?;
        step(
            "Chromium and its driver",
            program("apt-get").args(["install", "-y", "-qq", "chromium", "chromium-driver"]),
        )?;
    }
    find_browser().ok_or_else(|| {
        "expected `chromium` (or CHROMIUM_PATH) and `chromedriver` of the same version, \
         found none; on Debian: apt-get install chromium chromium-driver"
            .to_owned()
    })
}

fn find_browser() -> Option<Browser> {
    let named = env::var_os("CHROMIUM_PATH").map(PathBuf::from);
    let names = ["chromium", "chromium-browser", "google-chrome"];
    Some(Browser {
        chromium: named.or_else(|| names.into_iter().find_map(on_path))?,
        driver: on_path("chromedriver")?,
    })
}

fn on_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(executable(name)))
        .find(|path| path.is_file())
}

fn executable(name: &str) -> String {
    format!("{name}{}", env::consts::EXE_SUFFIX)
}
