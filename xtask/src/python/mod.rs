//! The Python package: `cargo xtask test-python`, what is run nightly, benches, and
//! `wheel`, which makes what is published.

mod bench;
mod environment;
mod wheel;

use std::path::PathBuf;
use std::process::Command;

use crate::command::{Background, Result, cargo, executable, output, program, root, step, target};
pub(crate) use bench::{DENSE_MODEL, dense, dense_model, overhead, scale, scores};
use environment::Environment;
pub(crate) use wheel::published as wheel;
use wheel::{MATURIN, TWINE};

const PYRIGHT: &str = "pyright@1.1.414";

const REQUIREMENTS: &str = "python/tests/requirements.txt";
/// What the nightly tests share with the others.
const NIGHTLY_TOO: &str = "python/tests/nightly/shared.txt";

/// Builds a wheel without optimization, holds its types to two checkers, and starts to
/// hold the package in it to its references.
pub(crate) fn test() -> Result<Background> {
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
    Background::start(
        "tests of the Python package",
        "python-tests.log",
        &mut pytest(&environment, "tests"),
    )
}

/// The package with PyLate, which needs torch, Spark, which needs Java, and the
/// recipes for stores, which take what the command line writes.
pub(crate) fn nightly() -> Result {
    step(
        "the command line",
        // For a test of it, of what other tests have built.
        cargo()
            .args(["test", "--no-run", "--quiet", "--workspace"])
            .args(["--test", "tables"]),
    )?;
    let environment = Environment::open("nightly")?;
    let more = "python/tests/nightly/requirements.txt";
    environment.install(&["-r", more, "-r", NIGHTLY_TOO, MATURIN, TWINE])?;
    installed(&environment)?;
    step(
        "PyLate, Spark and stores",
        &mut pytest(&environment, "tests/nightly"),
    )
}

/// The folder of an environment where packages are installed, for the data in them.
pub(crate) fn packages(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = Environment::open(name)?;
    environment.install(packages)?;
    let query = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let folder = output(environment.python().args(["-c", query]))?;
    Ok(PathBuf::from(folder.trim()))
}

fn installed(environment: &Environment) -> Result {
    let wheel = wheel::local(
        environment,
        &[
            "--profile",
            "dev",
            "--features",
            "as-workspace",
            "--auditwheel",
            "skip",
        ],
    )?;
    environment.install_wheel(&wheel)
}

fn pytest(environment: &Environment, tests: &str) -> Command {
    let mut command = environment.python();
    command
        .args(["-m", "pytest", "--quiet", "--config-file"])
        .arg(root().join("python/pyproject.toml"))
        .arg(root().join("python").join(tests))
        .env(
            "MULTIVEC_COMMAND",
            target().join("debug").join(executable("multivec")),
        )
        // Elsewhere than beside the sources, so that the wheel is imported.
        .current_dir(&environment.folder);
    command
}
