//! The Python package: `cargo xtask test-python`, and `wheel`, which makes what
//! is published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, output, program, root, step, target};

const MATURIN: &str = "maturin==1.16.0";
const TWINE: &str = "twine==7.0.0";
/// A linker for the oldest Linux that wheels promise.
const ZIG: &str = "ziglang==0.15.2";
const PYRIGHT: &str = "pyright@1.1.414";

/// The glibc that wheels for Linux need, as `pip` calls it: that of ONNX Runtime's.
const MANYLINUX: &str = "manylinux_2_28";

/// Builds a wheel without optimization, and holds the package in it to its
/// references, and its types to two checkers.
pub(crate) fn test() -> Result {
    let environment = Environment::open("test")?;
    environment.install(&["-r", "python/tests/requirements.txt", MATURIN, TWINE])?;
    let folder = environment.folder.join("wheels");
    let wheel = build(
        &environment,
        &folder,
        &["--profile", "dev", "--auditwheel", "skip"],
    )?;
    step(
        "the wheel, as the index checks it",
        environment
            .python()
            .args(["-m", "twine", "check", "--strict"])
            .arg(&wheel),
    )?;
    step(
        "the wheel, installed",
        environment
            .python()
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--force-reinstall",
            ])
            .arg(&wheel),
    )?;
    let package = root().join("python");
    step(
        "types, by mypy",
        environment
            .python()
            .args(["-m", "mypy"])
            .current_dir(&package),
    )?;
    step(
        "types, by pyright",
        program("npm")
            .args(["exec", "--yes", "--package", PYRIGHT, "--", "pyright"])
            .arg("--pythonpath")
            .arg(environment.program("python"))
            .current_dir(&package),
    )?;
    step(
        "tests of the Python package",
        environment
            .python()
            .args(["-m", "pytest", "--quiet"])
            .arg(package.join("tests"))
            // Elsewhere than beside the sources, so that the wheel is imported.
            .current_dir(&environment.folder),
    )
}

/// Makes the wheel that is published, for this platform, in `target/dist`.
pub(crate) fn wheel() -> Result {
    let environment = Environment::open("wheel")?;
    environment.install(&[MATURIN, TWINE, ZIG])?;
    let linux: &[&str] = if cfg!(target_os = "linux") {
        &["--zig", "--compatibility", MANYLINUX]
    } else {
        &[]
    };
    let folder = target().join("dist");
    let wheel = build(
        &environment,
        &folder,
        &[&["--release", "--strip"], linux].concat(),
    )?;
    step(
        "the wheel, as the index checks it",
        environment
            .python()
            .args(["-m", "twine", "check", "--strict"])
            .arg(wheel),
    )
}

fn build(environment: &Environment, folder: &Path, arguments: &[&str]) -> Result<PathBuf> {
    // Of earlier runs.
    if folder.is_dir() {
        for old in wheels(folder)? {
            fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))?;
        }
    }
    step(
        "the wheel",
        environment
            .python()
            .args(["-m", "maturin", "build", "--quiet", "--locked", "--out"])
            .arg(folder)
            .args(arguments)
            .current_dir(root().join("python")),
    )?;
    let found = wheels(folder)?;
    let [wheel] = found.as_slice() else {
        return Err(format!(
            "{}: expected one wheel, found {found:?}",
            folder.display()
        ));
    };
    Ok(wheel.clone())
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

/// A virtual environment in the target folder.
struct Environment {
    folder: PathBuf,
}

impl Environment {
    fn open(name: &str) -> Result<Self> {
        let folder = target().join("python").join(name);
        let environment = Self { folder };
        if !environment.program("python").is_file() {
            let python = if cfg!(windows) { "python" } else { "python3" };
            let version = "import sys; assert sys.version_info >= (3, 10), sys.version";
            output(program(python).args(["-c", version]))
                .map_err(|error| format!("expected Python 3.10 or newer: {error}"))?;
            step(
                "a virtual environment of Python",
                program(python)
                    .args(["-m", "venv"])
                    .arg(&environment.folder),
            )?;
        }
        Ok(environment)
    }

    /// Installs packages, unless the same were installed last.
    fn install(&self, packages: &[&str]) -> Result {
        let mut wanted = packages.join("\n");
        if let Some(at) = packages.iter().position(|&package| package == "-r") {
            let list = root().join(packages[at + 1]);
            wanted += &fs::read_to_string(&list)
                .map_err(|error| format!("{}: {error}", list.display()))?;
        }
        let stamp = self.folder.join(".installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        step(
            "Python packages",
            self.python()
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(packages),
        )?;
        fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
    }

    fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.folder
            .join(folder)
            .join(crate::command::executable(name))
    }

    fn python(&self) -> Command {
        let mut command = program(&self.program("python").to_string_lossy());
        // Modules of the calling shell must not be in the way.
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command.env("VIRTUAL_ENV", &self.folder);
        command
    }
}
