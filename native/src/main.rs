//! The command line `multivec`.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
