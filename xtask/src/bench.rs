//! `cargo xtask bench-model`: the large model of the benches.

use crate::command::{Result, cargo, step};

/// Writes the model in that precision, INT8 by default, see
/// `benches/models/generate.rs`.
pub(crate) fn model(precision: Option<String>) -> Result {
    step(
        "a model of a real one's size, with weights from a seed",
        cargo()
            .args(["run", "--quiet", "--package", "multivec-core"])
            .args(["--example", "bench-model", "--"])
            .args(precision),
    )
}
