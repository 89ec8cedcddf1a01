//! `cargo xtask demo`: a search with the demo model.

use std::thread;

use crate::command::{Result, cargo, step};
use crate::{manifest, setup};

pub(crate) fn run() -> Result {
    // One waits for the network, the other for the processor.
    let packages = thread::spawn(setup::node_packages);
    let built = step("the command line", &mut line("build"));
    let packages = packages
        .join()
        .unwrap_or_else(|_| Err("the npm packages: a thread ended early".to_owned()));
    built.and(packages)?;
    step(
        "search of a small corpus with the demo model",
        line("run").arg("--quiet").args([
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

fn line(task: &str) -> std::process::Command {
    let mut command = cargo();
    // ONNX Runtime comes with the npm packages; tract takes minutes to build.
    command.args([
        task,
        "--package",
        manifest::COMMAND_LINE,
        "--no-default-features",
    ]);
    command
}
