//! The Python package: `cargo xtask test-python`, what is run nightly, the bench of
//! bulk encoding, and `wheel`, which makes what is published.

mod environment;
mod wheel;

use std::path::PathBuf;
use std::process::Command;

use crate::command::{Result, cargo, executable, output, program, root, step, target};
use environment::Environment;
pub(crate) use wheel::published as wheel;
use wheel::{MATURIN, TWINE};

const PYRIGHT: &str = "pyright@1.1.414";

const REQUIREMENTS: &str = "python/tests/requirements.txt";
const SCORES: &str = "benches/peers/python/scores.txt";
const DENSE: &str = "benches/peers/python/dense.txt";
/// What the nightly tests share with the others.
const NIGHTLY_TOO: &str = "python/tests/nightly/shared.txt";

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

/// The package with PyLate, which needs torch, Spark, which needs Java, and the
/// recipes for stores, which take what the command line writes.
pub(crate) fn nightly() -> Result {
    step(
        "the command line",
        cargo().args([
            "build",
            "--quiet",
            "--package",
            crate::manifest::COMMAND_LINE,
        ]),
    )?;
    let environment = Environment::open("nightly")?;
    let more = "python/tests/nightly/requirements.txt";
    environment.install(&["-r", more, "-r", NIGHTLY_TOO, MATURIN, TWINE])?;
    installed(&environment)?;
    pytest(&environment, "PyLate, Spark and stores", "tests/nightly")
}

/// The folder of an environment where packages are installed, for the data in them.
pub(crate) fn packages(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let environment = Environment::open(name)?;
    environment.install(packages)?;
    let query = "import sysconfig; print(sysconfig.get_path('purelib'))";
    let folder = output(environment.python().args(["-c", query]))?;
    Ok(PathBuf::from(folder.trim()))
}

/// Bulk encoding on a local cluster: prints JSON.
pub(crate) fn scale() -> Result {
    let environment = with_release_wheel("test", REQUIREMENTS)?;
    step(
        "bulk encoding on a cluster, and in one process",
        environment
            .python()
            .arg("python/bench/scale.py")
            .args(["models/minilm-colbert", "models/demo-corpus.txt"]),
    )
}

/// Calls of the release wheel beside those of the crate: prints JSON.
pub(crate) fn overhead() -> Result {
    let environment = with_release_wheel("test", REQUIREMENTS)?;
    let example = ["--package", "multivec-python", "--example", "overhead"];
    step(
        "the crate without the package",
        cargo().args(["build", "--release"]).args(example),
    )?;
    let program = target().join("release/examples");
    step(
        "calls of the package and of the crate, in turns",
        environment
            .python()
            .arg("python/bench/overhead.py")
            .arg(program.join(executable("overhead")))
            .args(["models/minilm-colbert", "models/demo-corpus.txt"]),
    )
}

/// Scores of the release wheel beside other libraries', with all cores and with one.
pub(crate) fn scores(quick: Option<&'static str>) -> Result {
    let environment = with_release_wheel("scores", SCORES)?;
    in_turns(&environment, "scores", |_| {}, quick)
}

/// A real dense model, by its name among those of the benches.
pub(crate) const DENSE_MODEL: &str = "all-minilm-l6-v2";

/// Dense embeddings of the release wheel beside other libraries', likewise.
pub(crate) fn dense(quick: Option<&'static str>) -> Result {
    let environment = with_release_wheel("dense", DENSE)?;
    let model = write_dense_model(&environment)?;
    let arguments = |command: &mut Command| {
        command.arg(&model).arg("models/demo-corpus.txt");
    };
    in_turns(&environment, "dense", arguments, quick)
}

/// Writes the model for benches other than `dense`.
pub(crate) fn dense_model() -> Result {
    let environment = with_packages("dense", DENSE)?;
    write_dense_model(&environment).map(drop)
}

fn write_dense_model(environment: &Environment) -> Result<PathBuf> {
    let model = target().join("bench-models").join(DENSE_MODEL);
    step(
        "a real dense model, with its graphs",
        environment
            .python()
            .arg("benches/peers/python/dense_model.py")
            .arg(&model),
    )?;
    Ok(model)
}

/// An environment with the wheel, optimized, and other packages.
fn with_release_wheel(name: &str, requirements: &str) -> Result<Environment> {
    let environment = with_packages(name, requirements)?;
    let wheel = wheel::local(&environment, &["--release", "--auditwheel", "skip"])?;
    environment.install_wheel(&wheel)?;
    Ok(environment)
}

/// An environment with packages, and with what makes wheels.
fn with_packages(name: &str, requirements: &str) -> Result<Environment> {
    let environment = Environment::open(name)?;
    environment.install(&["-r", requirements, MATURIN, TWINE])?;
    Ok(environment)
}

/// Runs a script of the peers with all cores and with one; what it finds goes into
/// the folder of benches.
fn in_turns(
    environment: &Environment,
    script: &str,
    arguments: impl Fn(&mut Command),
    quick: Option<&'static str>,
) -> Result {
    for threads in [None, Some(["--threads", "1"])] {
        let mut command = environment.python();
        command.arg(format!("benches/peers/python/{script}.py"));
        arguments(&mut command);
        command
            .arg(target().join(format!("bench/{script}.json")))
            .args(quick)
            .args(threads.into_iter().flatten());
        step(&format!("{script} beside other libraries"), &mut command)?;
    }
    Ok(())
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

fn pytest(environment: &Environment, what: &str, tests: &str) -> Result {
    step(
        what,
        environment
            .python()
            .args(["-m", "pytest", "--quiet", "--config-file"])
            .arg(root().join("python/pyproject.toml"))
            .arg(root().join("python").join(tests))
            .env(
                "MULTIVEC_COMMAND",
                target().join("debug").join(executable("multivec")),
            )
            // Elsewhere than beside the sources, so that the wheel is imported.
            .current_dir(&environment.folder),
    )
}
