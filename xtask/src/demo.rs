//! `cargo xtask demo`: a search with the demo model.

use crate::command::{Result, cargo, step};
use crate::setup;

pub(crate) fn run() -> Result {
    setup::node_packages()?;
    step(
        "search of a small corpus with the demo model",
        cargo().args([
            "run",
            "--quiet",
            "--package",
            "multivec",
            "--",
            "search",
            "--documents",
            "models/demo-corpus.txt",
            "--top-k",
            "3",
            "--explain",
            "Which animal makes honey?",
            "How do plants turn light into food?",
            "Who wrote about gravity?",
        ]),
    )
}
