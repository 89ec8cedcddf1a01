//! multivec beside other encoders, and its own settings; and the tables of
//! all benches, `benches/RESULTS.md`. `cargo xtask bench` runs all of it.
//!
//! `multivec-peers compare|settings|sessions [--quick] [--only MODEL]` measures
//! and writes `target/bench/*.json`, with `--only` that model's part of it;
//! `multivec-peers report SECTION…` writes the tables of these sections anew and
//! leaves the others as they were.

mod compare;
mod encoders;
mod machine;
mod models;
mod process;
mod report;
mod results;
mod sessions;
mod settings;
mod statistics;
mod texts;

use std::process::ExitCode;

use machine::Rounds;
use multivec_peers_protocol::Result;

fn main() -> ExitCode {
    match run(std::env::args().skip(1).collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("multivec-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Vec<String>) -> Result {
    let mut rounds = Rounds::Many;
    let mut only = None;
    let mut words = Vec::new();
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--quick" => rounds = Rounds::Few,
            "--only" => only = Some(args.next().ok_or("--only: expected a model, found none")?),
            _ => words.push(arg),
        }
    }
    let only = only.as_deref();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["compare"] => compare::run(rounds, only),
        ["settings"] => settings::run(rounds, only),
        ["sessions"] => sessions::run(rounds, only),
        ["report", sections @ ..] => report::write(sections, rounds),
        other => Err(format!(
            "expected `compare`, `settings`, `sessions` or `report`, found {other:?}"
        )),
    }
}
