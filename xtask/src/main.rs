//! Set-up, checks and demo of the repository: `cargo xtask demo`,
//! `cargo xtask test`, `cargo xtask test-web`, `cargo xtask bench-model`.

mod bench;
mod command;
mod demo;
mod setup;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    let task = std::env::args().nth(1);
    let done = match task.as_deref() {
        Some("bench-model") => bench::model(std::env::args().nth(2)),
        Some("demo") => demo::run(),
        Some("setup") => setup::run(),
        Some("test") => test::run(),
        Some("test-web") => test::web(),
        other => Err(format!(
            "expected `cargo xtask bench-model`, `demo`, `setup`, `test` or `test-web`, found {}",
            other.map_or_else(|| "no task".to_owned(), |name| format!("`{name}`"))
        )),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}
