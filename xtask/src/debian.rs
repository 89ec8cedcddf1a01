//! Packages of Debian, installed where that needs no more than apt.

use std::process::Command;

use crate::command::{Result, answers, program, step};

/// Debian's packages that are missing, where there is apt; elsewhere their
/// names are in the error.
pub(crate) fn install(names: &[&str]) -> Result {
    let is_there = |name: &&str| answers(program("dpkg").args(["--status", name]));
    let missing: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !is_there(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !answers(program("apt-get").arg("--version")) {
        return Err(format!("expected what Debian's packages {list} install"));
    }
    step("package lists", apt().args(["update", "-qq"]))?;
    step(
        &format!("Debian's packages {list}"),
        apt()
            .args(["install", "-y", "-qq", "--no-install-recommends"])
            .args(&missing),
    )
}

/// As root, where that takes no password.
fn apt() -> Command {
    if answers(program("sudo").args(["-n", "true"])) {
        let mut command = program("sudo");
        command.args(["-n", "apt-get"]);
        command
    } else {
        program("apt-get")
    }
}
