//! Windows on x86-64, under Wine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{cross, search};
use crate::command::{Result, on_path, program, root, step, target};
use crate::{debian, manifest, setup, test};

const TRIPLE: &str = "x86_64-pc-windows-gnu";

/// Where Debian's package has it if not on the `PATH`.
const WINE: &str = "/usr/lib/wine/wine64";

pub(super) fn run() -> Result {
    debian::install(&["gcc-mingw-w64-x86-64", "wine64"])?;
    setup::rust_target(TRIPLE)?;
    setup::node_packages()?;
    let wine = on_path("wine64").unwrap_or_else(|| WINE.into());
    let prefix = target().join("platforms/wine");
    random_numbers(&wine, &prefix)?;
    let in_wine = |command: &mut Command| {
        command
            .env("WINEPREFIX", &prefix)
            .env("WINEDEBUG", "-all")
            .env("ORT_DYLIB_PATH", library()?);
        Ok::<_, String>(())
    };

    let mut parity = cross(TRIPLE);
    parity.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", &wine);
    in_wine(&mut parity)?;
    step(
        "parity on Windows, on ONNX Runtime and on tract",
        test::parity(&mut parity),
    )?;

    step(
        "the command line for Windows",
        cross(TRIPLE).args(["build", "--package", manifest::COMMAND_LINE]),
    )?;
    let model = beyond_ascii()?;
    for engine in ["onnxruntime", "tract"] {
        let mut line = program(&wine.to_string_lossy());
        line.arg(
            target()
                .join("platforms")
                .join(TRIPLE)
                .join("debug/multivec.exe"),
        );
        in_wine(&mut line)?;
        search(TRIPLE, &mut line, &model, engine)?;
    }
    Ok(())
}

/// A prefix with the library that Rust takes random numbers from.
fn random_numbers(wine: &Path, prefix: &Path) -> Result {
    step(
        "Wine's folders",
        program(&wine.to_string_lossy())
            .args(["wineboot", "--init"])
            .env("WINEPREFIX", prefix)
            .env("WINEDEBUG", "-all")
            // Neither .NET nor a browser, which it would offer to fetch.
            .env("WINEDLLOVERRIDES", "mscoree=;mshtml="),
    )?;
    step(
        "bcryptprimitives.dll, which Wine 8 lacks",
        program("x86_64-w64-mingw32-gcc")
            .args(["-shared", "-O2", "-o"])
            .arg(prefix.join("drive_c/windows/system32/bcryptprimitives.dll"))
            .arg(root().join("xtask/platforms/bcryptprimitives.c"))
            .arg("-ladvapi32"),
    )
}

/// ONNX Runtime's own library for Windows, from its npm package.
fn library() -> Result<String> {
    let bin = root().join("js/node_modules/onnxruntime-node/bin");
    let versions = fs::read_dir(&bin).map_err(|error| format!("{}: {error}", bin.display()))?;
    let found = versions
        .filter_map(|version| Some(version.ok()?.path().join("win32/x64/onnxruntime.dll")))
        .find(|path| path.is_file())
        .ok_or_else(|| {
            format!(
                "{}: expected win32/x64/onnxruntime.dll, found none",
                bin.display()
            )
        })?;
    // Wine has this file system as a drive.
    Ok(format!("Z:{}", found.display()))
}

/// The demo model in a folder whose name no code page of Windows has.
fn beyond_ascii() -> Result<PathBuf> {
    let from = root().join("models/minilm-colbert");
    let to = target().join("platforms/modèle 模型");
    let failed = |error| format!("{}: {error}", to.display());
    fs::create_dir_all(&to).map_err(failed)?;
    for entry in fs::read_dir(&from).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        fs::copy(entry.path(), to.join(entry.file_name())).map_err(failed)?;
    }
    Ok(to)
}
