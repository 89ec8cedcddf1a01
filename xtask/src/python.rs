//! The Python package: `cargo xtask test-python`, what is run nightly, the bench of
//! bulk encoding, and `wheel`, which makes what is published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, output, program, root, step, target};

const MATURIN: &str = "maturin==1.16.0";
const TWINE: &str = "twine==7.0.0";
/// A linker for the oldest Linux that wheels promise.
const ZIG: &str = "ziglang==0.15.2";
const PYRIGHT: &str = "pyright@1.1.414";

const REQUIREMENTS: &str = "python/tests/requirements.txt";
/// What the nightly tests share with the others.
const NIGHTLY_TOO: &str = "python/tests/nightly/shared.txt";

/// The glibc that wheels for Linux need, as `pip` calls it: that of ONNX Runtime's.
const MANYLINUX: &str = "manylinux_2_28";

/// Builds a wheel without optimization, and holds the package in it to its
/// references, and its types to two checkers.
pub(crate) fn test() -> Result {
    let environment = Environment::open("test")?;
    environment.install(&["-r", REQUIREMENTS, MATURIN, TWINE])?;
    let package = root().join("python");
    for (what, arguments) in [
        ("formatting of Python", &["format", "--check"][..]),
        ("lints of Python", &["check"]),
    ] {
        step(
            what,
            environment
                .python()
                .args(["-m", "ruff"])
                .args(arguments)
                .current_dir(&package),
        )?;
    }
    installed(&environment)?;
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
    pytest(&environment, "tests of the Python package", "tests")
}

/// The package with PyLate, which needs torch, and Spark, which needs Java.
pub(crate) fn nightly() -> Result {
    let environment = Environment::open("nightly")?;
    let more = "python/tests/nightly/requirements.txt";
    environment.install(&["-r", more, "-r", NIGHTLY_TOO, MATURIN, TWINE])?;
    installed(&environment)?;
    pytest(&environment, "PyLate and Spark", "tests/nightly")
}

/// Bulk encoding on a local cluster: prints JSON.
pub(crate) fn scale() -> Result {
    let environment = Environment::open("test")?;
    environment.install(&["-r", REQUIREMENTS, MATURIN, TWINE])?;
    let wheel = environment.wheel(&["--release", "--auditwheel", "skip"])?;
    environment.install_wheel(&wheel)?;
    step(
        "bulk encoding on a cluster, and in one process",
        environment
            .python()
            .arg("python/bench/scale.py")
            .args(["models/minilm-colbert", "models/demo-corpus.txt"]),
    )
}

fn installed(environment: &Environment) -> Result {
    let wheel = environment.wheel(&[
        "--profile",
        "dev",
        "--features",
        "as-workspace",
        "--auditwheel",
        "skip",
    ])?;
    environment.install_wheel(&wheel)
}

fn pytest(environment: &Environment, what: &str, tests: &str) -> Result {
    step(
        what,
        environment
            .python()
            .args(["-m", "pytest", "--quiet", "--config-file"])
            .arg(root().join("python/pyproject.toml"))
            .arg(root().join("python").join(tests))
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
    let wheel = build(
        &environment,
        &target().join("dist"),
        &[&["--release", "--strip"], linux].concat(),
    )?;
    println!("{}", wheel.display());
    Ok(())
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
    step(
        "the wheel, as the index checks it",
        environment
            .python()
            .args(["-m", "twine", "check", "--strict"])
            .arg(wheel),
    )?;
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
        let lists = packages.windows(2).filter(|pair| pair[0] == "-r");
        for list in lists {
            let list = root().join(list[1]);
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

    /// Builds a wheel to be used here.
    fn wheel(&self, arguments: &[&str]) -> Result<PathBuf> {
        build(self, &self.folder.join("wheels"), arguments)
    }

    fn install_wheel(&self, wheel: &Path) -> Result {
        step(
            "the wheel, installed",
            self.python()
                .args(["-m", "pip", "install", "--quiet", "--no-deps"])
                .arg("--force-reinstall")
                .arg(wheel),
        )
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
