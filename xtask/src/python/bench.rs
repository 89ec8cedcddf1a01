//! Benches of the release wheel, beside the crate and other libraries.

use std::path::PathBuf;
use std::process::Command;

use super::REQUIREMENTS;
use super::environment::Environment;
use super::wheel::{self, MATURIN, TWINE};
use crate::command::{Result, cargo, executable, step, target};

const SCORES: &str = "benches/peers/python/scores.txt";
const DENSE: &str = "benches/peers/python/dense.txt";

/// Bulk encoding on a local cluster: prints JSON. A file with a text a line and their
/// number may follow; otherwise they are 20,000 short ones.
pub(crate) fn scale(arguments: &[String]) -> Result {
    let (texts, count) = match arguments {
        [] => ("models/demo-corpus.txt", "20000"),
        [texts, count] => (texts.as_str(), count.as_str()),
        _ => {
            return Err(format!(
                "expected `TEXTS.txt COUNT` or nothing, found {arguments:?}"
            ));
        }
    };
    let environment = with_release_wheel("test", REQUIREMENTS)?;
    step(
        "bulk encoding on a cluster, and in one process",
        environment.python().arg("python/bench/scale.py").args([
            "models/minilm-colbert",
            texts,
            "--count",
            count,
        ]),
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
