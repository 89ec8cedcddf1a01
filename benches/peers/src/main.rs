//! multivec beside other encoders, and its own settings; and the tables of
//! all benches, `benches/RESULTS.md`. `cargo xtask bench` runs all of it.
//!
//! `multivec-peers compare|settings|sessions [--quick]` measures and writes
//! `target/bench/*.json`; `multivec-peers report SECTION…` writes the tables of
//! these sections anew and leaves the others as they were.

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
    let rounds = match args.iter().any(|arg| arg == "--quick") {
        true => Rounds::Few,
        false => Rounds::Many,
    };
    let words: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|&arg| arg != "--quick")
        .collect();
    match words.as_slice() {
        ["compare"] => results::write("peers", &compare::run(rounds)?),
        ["settings"] => results::write("settings", &settings::run(rounds)?),
        ["sessions"] => results::write("sessions", &sessions::run(rounds)?),
        ["report", sections @ ..] => report::write(sections, rounds),
        other => Err(format!(
            "expected `compare`, `settings`, `sessions` or `report`, found {other:?}"
        )),
    }
}
