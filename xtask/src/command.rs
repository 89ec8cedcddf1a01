//! Running of other programs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().map(PathBuf::from).unwrap_or(package)
}

/// A program that starts in the root.
pub(crate) fn program(name: &str) -> Command {
    // On Windows npm is a script that only its full name finds.
    let name = match name {
        "npm" if cfg!(windows) => "npm.cmd",
        other => other,
    };
    let mut command = Command::new(name);
    command.current_dir(root());
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo() -> Command {
    program(&std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()))
}

/// Says what is done and for how long, and fails if the program does.
pub(crate) fn step(what: &str, command: &mut Command) -> Result {
    println!("==> {what}");
    let start = Instant::now();
    let status = command.status().map_err(|error| {
        format!(
            "{what}: {:?} cannot be started: {error}",
            command.get_program()
        )
    })?;
    if !status.success() {
        return Err(format!("{what}: {status}"));
    }
    println!("    {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Whether a program answers.
pub(crate) fn answers(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}
