//! `cargo xtask bench`: every bench, and `benches/RESULTS.md` from them;
//! `cargo xtask bench-model`: the large models of the benches.

use std::fs;
use std::process::Command;

use crate::browser;
use crate::command::{Result, cargo, program, root, step, target};
use crate::{python, setup};

/// Writes the model of that shape, or that of the peers in that precision, see
/// `benches/models/generate.rs`, or the real dense one.
pub(crate) fn model(name: Option<String>) -> Result {
    if name.as_deref() == Some(python::DENSE_MODEL) {
        return python::dense_model();
    }
    step(
        "a model of a real one's size, with weights from a seed",
        cargo()
            .args(["run", "--quiet", "--package", "multivec-core"])
            .args(["--example", "bench-model", "--"])
            .args(name),
    )
}

/// What to run, and how.
struct Plan {
    sections: Vec<&'static str>,
    quick: Option<&'static str>,
    /// `--only` and a model, or nothing.
    only: Vec<String>,
}

/// The sections that are run where none is named; `--web` adds the browser,
/// `--without-vnni` one that leaves AVX-VNNI alone; scores and dense embeddings, which
/// need other Python packages or a model from one, are measured where they are named.
const NATIVE: [&str; 5] = ["peers", "settings", "sessions", "criterion", "graph"];
const SCORES: &str = "scores";
const DENSE: &str = "dense";
const WEB_DENSE: &str = "web-dense";
const WITHOUT_VNNI: &str = "web-without-vnni";

/// Runs benches and writes the tables of those sections.
pub(crate) fn run(args: &[String]) -> Result {
    match args {
        [name, rest @ ..] if name == "scale" => return python::scale(rest),
        [name] if name == "overhead" => return python::overhead(),
        _ => {}
    }
    let plan = Plan::read(args)?;
    if plan
        .sections
        .iter()
        .any(|name| ![SCORES, DENSE].contains(name))
    {
        setup::node_packages()?;
    }
    for section in &plan.sections {
        match *section {
            "peers" => peers(&plan, "compare")?,
            "settings" | "sessions" => peers(&plan, section)?,
            "criterion" => criterion(&plan)?,
            "graph" => graph()?,
            SCORES => python::scores(plan.quick)?,
            DENSE => python::dense(plan.quick)?,
            section => web(&plan, section)?,
        }
    }
    build_peers()?;
    step(
        "the tables",
        tool("multivec-peers")
            .arg("report")
            .args(&plan.sections)
            .args(plan.quick),
    )
}

impl Plan {
    fn read(args: &[String]) -> Result<Self> {
        let mut plan = Self {
            sections: Vec::new(),
            quick: None,
            only: Vec::new(),
        };
        let mut web = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let named = NATIVE.into_iter().find(|name| name == arg);
            match (arg.as_str(), named) {
                ("--quick", _) => plan.quick = Some("--quick"),
                ("--web", _) => web.push("web"),
                (SCORES, _) => plan.sections.push(SCORES),
                (DENSE, _) => plan.sections.push(DENSE),
                (WEB_DENSE, _) => plan.sections.push(WEB_DENSE),
                ("--without-vnni", _) => web.push(WITHOUT_VNNI),
                ("--only", _) => {
                    let model = args.next().ok_or("--only: expected a model, found none")?;
                    plan.only = vec![arg.clone(), model.clone()];
                }
                (_, Some(section)) => plan.sections.push(section),
                _ => {
                    return Err(format!(
                        "expected `--quick`, `--only MODEL`, `--web`, `--without-vnni`, `scores`, `dense`, `web-dense` or one of {NATIVE:?}, found `{arg}`"
                    ));
                }
            }
        }
        if plan.sections.is_empty() {
            plan.sections.extend(NATIVE);
        }
        plan.sections.extend(web);
        Ok(plan)
    }
}

/// The peers have workspaces of their own, and share the target folder.
fn build_peers() -> Result {
    for folder in ["benches/peers", "benches/peers/next-plaid"] {
        step(
            &format!("{folder}, a release build"),
            cargo()
                .args(["build", "--quiet", "--release", "--locked"])
                .arg("--manifest-path")
                .arg(root().join(folder).join("Cargo.toml"))
                .arg("--target-dir")
                .arg(target()),
        )?;
    }
    Ok(())
}

fn tool(name: &str) -> Command {
    program(&target().join("release").join(name).to_string_lossy())
}

fn peers(plan: &Plan, command: &str) -> Result {
    build_peers()?;
    step(
        &format!("multivec-peers {command}"),
        tool("multivec-peers")
            .arg(command)
            .args(plan.quick)
            .args(&plan.only),
    )
}

fn criterion(plan: &Plan) -> Result {
    // Benches that are gone would stay in the table.
    let folder = target().join("criterion");
    if folder.is_dir() {
        fs::remove_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    step(
        "the bench `encode`",
        cargo()
            .args(["bench", "--bench", "encode", "--"])
            .args(plan.quick),
    )
}

fn graph() -> Result {
    println!("==> the bench `graph`");
    let output = cargo()
        .args(["bench", "--quiet", "--bench", "graph"])
        .args(["--features", "multivec/tract"])
        .output()
        .map_err(|error| format!("cargo bench: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let folder = target().join("bench");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(folder.join("graph.txt"), text.as_bytes()))
        .map_err(|error| format!("{}: {error}", folder.display()))
}

fn web(plan: &Plan, section: &str) -> Result {
    setup::rust_target(setup::WASM)?;
    let browser = browser::browser()?;
    step(
        "engines in the browser",
        program("npm")
            .args(["run", "bench", "--"])
            .args(plan.quick)
            .args(&plan.only)
            .args(["--section", section])
            .current_dir(root().join("js"))
            .env("CHROMIUM_PATH", &browser.chromium),
    )
}
