//! The command line `multivec`.

mod cli;
mod whole;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
