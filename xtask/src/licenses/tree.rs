//! Packages that a build takes in.

use std::env;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use super::listed;
use crate::command::Result;
use crate::{manifest, setup};

/// A choice of packages.
#[derive(Clone, Copy)]
pub(super) enum Tree {
    /// All that any build takes, but for tests.
    All,
    /// Those in the modules of the npm package.
    Npm,
    /// Those in the command line for this machine.
    CommandLine,
}

/// A dependency from the registry.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) license: String,
    pub(super) repository: String,
}

impl Tree {
    /// Its packages, in order and each once.
    pub(super) fn packages(self) -> Result<Vec<Package>> {
        let arguments: &[&str] = match self {
            Self::All => &[
                "--workspace",
                "--all-features",
                "--target=all",
                "--edges=normal,build",
            ],
            Self::Npm => &[
                "--package=multivec-wasm",
                "--target",
                setup::WASM,
                "--edges=normal,no-proc-macro",
            ],
            Self::CommandLine => &[
                "--package",
                manifest::COMMAND_LINE,
                "--edges=normal,no-proc-macro",
            ],
        };
        let mut packages: Vec<Package> = listed(arguments)?
            .lines()
            .filter_map(|line| Package::read(line.trim_end_matches(" (*)")))
            .collect();
        packages.sort();
        packages.dedup();
        Ok(packages)
    }
}

impl Package {
    /// Crates of the workspace are none.
    fn read(line: &str) -> Option<Self> {
        let mut parts = line.split('|');
        let (name, version) = parts.next()?.split_once(" v")?;
        // Behind it may be a note, such as that it is a proc-macro.
        let version = version.split(' ').next()?;
        if name.starts_with("multivec") || name == "xtask" {
            return None;
        }
        Some(Self {
            name: name.to_owned(),
            version: version.to_owned(),
            license: parts.next()?.to_owned(),
            repository: parts.next().unwrap_or_default().to_owned(),
        })
    }

    /// Where cargo has unpacked it.
    pub(super) fn folder(&self) -> Result<PathBuf> {
        let home = env::var_os("CARGO_HOME").map(PathBuf::from);
        let sources = home
            .or_else(|| Some(env::home_dir()?.join(".cargo")))
            .map(|home| home.join("registry/src"))
            .ok_or("expected CARGO_HOME or a home folder, found none")?;
        let registries =
            fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
        registries
            .filter_map(|registry| {
                let package = format!("{}-{}", self.name, self.version);
                Some(registry.ok()?.path().join(package))
            })
            .find(|folder| folder.is_dir())
            .ok_or_else(|| {
                format!(
                    "{self}: expected its sources in {}, found none; `cargo fetch` gets them",
                    sources.display()
                )
            })
    }

    /// The oldest Rust that its manifest promises to build with.
    pub(super) fn rust_version(&self) -> Result<Option<String>> {
        let path = self.folder()?.join("Cargo.toml");
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        // Published manifests have been brought to one form.
        Ok(text
            .lines()
            .find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'))
            .map(str::to_owned))
    }
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.version)
    }
}
