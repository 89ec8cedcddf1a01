//! Set-up, checks and demo of the repository: `cargo xtask demo`,
//! `cargo xtask test`, `cargo xtask test-web`, `cargo xtask bench`, `cargo
//! xtask bench-model`.

mod bench;
mod command;
mod demo;
mod setup;
mod test;

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let task = args.next();
    let rest: Vec<String> = args.collect();
    let done = match task.as_deref() {
        Some("bench") => bench::run(&rest),
        Some("bench-model") => bench::model(rest.first().cloned()),
        Some("demo") => demo::run(),
        Some("setup") => setup::run(),
        Some("test") => test::run(),
        Some("test-web") => test::web(),
        other => Err(format!(
            "expected `cargo xtask bench`, `bench-model`, `demo`, `setup`, `test` or `test-web`, \
             found {}",
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
