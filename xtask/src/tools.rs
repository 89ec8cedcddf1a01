//! Tools that cargo installs, into `target/tools`, out of the way of the
//! user's own.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use crate::command::{Result, cargo, executable, step, target};
use crate::manifest;

/// A crate that has programs.
pub(crate) struct Tool {
    package: &'static str,
    /// The program that is wanted of it.
    program: &'static str,
    /// Of the workspace's manifest where there is none.
    version: Option<&'static str>,
    arguments: &'static [&'static str],
    /// Dependencies where the time goes when it runs.
    optimized: &'static [&'static str],
}

pub(crate) const CARGO_DENY: Tool = Tool {
    package: "cargo-deny",
    program: "cargo-deny",
    version: Some("0.20.2"),
    arguments: &[],
    optimized: &[],
};

pub(crate) const CARGO_FUZZ: Tool = Tool {
    package: "cargo-fuzz",
    program: "cargo-fuzz",
    version: Some("0.13.2"),
    arguments: &[],
    optimized: &[],
};

pub(crate) const CARGO_SEMVER_CHECKS: Tool = Tool {
    package: "cargo-semver-checks",
    program: "cargo-semver-checks",
    version: Some("0.49.0"),
    arguments: &[],
    optimized: &[],
};

/// Of the version of the library, as it has to be.
pub(crate) const WASM_BINDGEN: Tool = Tool {
    package: "wasm-bindgen-cli",
    program: "wasm-bindgen",
    version: None,
    // TLS, a third of the build, is for browsers driven from elsewhere.
    arguments: &[
        "--no-default-features",
        "--bin=wasm-bindgen",
        "--bin=wasm-bindgen-test-runner",
    ],
    optimized: &["gimli", "walrus", "wasm-encoder", "wasmparser"],
};

impl Tool {
    /// Installs it unless it is there, and returns the program's path.
    pub(crate) fn install(&self) -> Result<PathBuf> {
        let version = match self.version {
            Some(version) => version.to_owned(),
            None => manifest::pinned_version("wasm-bindgen")?,
        };
        let path = bin(self.program);
        let expected = format!("{} {version}", self.program);
        let found = Command::new(&path).arg("--version").output();
        if found.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == expected) {
            return Ok(path);
        }
        let mut locked = self.command(&version);
        if let Err(error) = step(&expected, locked.arg("--locked")) {
            // Mirrors of the registry may lack a version of the lock file.
            println!("    {error}; again with the newest versions of its dependencies");
            step(&expected, &mut self.command(&version))?;
        }
        Ok(path)
    }

    fn command(&self, version: &str) -> Command {
        let mut command = cargo();
        command
            .args(["install", "--quiet", "--force", "--root"])
            .arg(target().join("tools"))
            .args(self.arguments)
            .arg(format!("{}@{version}", self.package))
            // They run for seconds, and their optimization takes minutes.
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
            .env("CARGO_PROFILE_RELEASE_LTO", "off");
        for package in self.optimized {
            let level = format!("profile.release.package.{package}.opt-level=1");
            command.args(["--config", &level]);
        }
        command
    }
}

/// The path of an installed program.
pub(crate) fn bin(program: &str) -> PathBuf {
    target().join("tools/bin").join(executable(program))
}

/// The `PATH` with the tools in front.
pub(crate) fn path() -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(target().join("tools/bin")).chain(env::split_paths(&path));
    env::join_paths(folders).map_err(|error| format!("PATH: {error}"))
}
