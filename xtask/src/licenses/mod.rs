//! `cargo xtask licenses`: licences and minimum Rust versions of all
//! dependencies; `cargo xtask notices`: the notices that published files carry.

mod expression;
mod notices;
mod tree;

use std::fs;

use crate::command::{Result, cargo, output, program, root, step};
use crate::tools;
use crate::{licenses::tree::Tree, manifest};

pub(crate) use notices::write as notices;

/// The check of every test run: nothing is installed or fetched for it.
pub(crate) fn check() -> Result {
    println!("==> licences and Rust versions of dependencies");
    let allowed = allowed()?;
    let promised = manifest::rust_version()?;
    let mut wrong = Vec::new();
    for package in Tree::All.packages()? {
        if !expression::is_allowed(&package.license, &allowed) {
            wrong.push(format!(
                "{package}: expected a licence that deny.toml allows, found `{}`",
                package.license
            ));
        }
        let needed = package.rust_version()?;
        if needed
            .as_deref()
            .is_some_and(|needed| newer(needed, &promised))
        {
            wrong.push(format!(
                "{package}: expected Rust {promised}, as Cargo.toml promises, or older, found {}",
                needed.unwrap_or_default()
            ));
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// What cargo-deny says, which knows advisories and duplicates as well.
pub(crate) fn deny() -> Result {
    check()?;
    let deny = tools::CARGO_DENY.install()?;
    let deny = deny.to_string_lossy();
    step(
        "licences, bans and sources",
        program(&deny).args(["check", "licenses", "bans", "sources"]),
    )?;
    // The database is a repository of its own, which not every machine reaches.
    if let Err(reason) = output(program(&deny).args(["fetch", "db"])) {
        println!("==> advisories: skipped, the database cannot be fetched: {reason}");
        return Ok(());
    }
    step(
        "advisories",
        program(&deny).args(["--offline", "check", "advisories"]),
    )
}

/// The list `allow` of the licences in `deny.toml`.
fn allowed() -> Result<Vec<String>> {
    let path = root().join("deny.toml");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let list = text
        .split_once("[licenses]")
        .and_then(|(_, section)| section.split_once("allow = ["))
        .and_then(|(_, list)| list.split_once(']'))
        .map(|(list, _)| list)
        .ok_or_else(|| {
            format!(
                "{}: expected `allow = [...]` in the section `licenses`, found none",
                path.display()
            )
        })?;
    Ok(list
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix('"')?.split_once('"')?.0.to_owned()))
        .collect())
}

/// Whether the first version, such as 1.92 or 1.92.0, is the newer one.
fn newer(version: &str, other: &str) -> bool {
    let parts = |version: &str| -> Vec<u32> {
        let mut parts: Vec<u32> = version
            .split('.')
            .map(|part| part.parse().unwrap_or(0))
            .collect();
        parts.resize(3, 0);
        parts
    };
    parts(version) > parts(other)
}

/// Packages by `cargo tree`.
fn listed(arguments: &[&str]) -> Result<String> {
    output(
        cargo()
            .args(["tree", "--locked", "--prefix", "none"])
            .args(["--format", "{p}|{l}|{r}"])
            .args(arguments),
    )
}
