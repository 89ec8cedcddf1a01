//! `cargo xtask package`: the crates as they would be published, each built
//! from its tarball alone, and used in a project outside of the repository.
//! With `check` the compiler checks that project alone, in an eighth of the time.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, cargo, executable, program, root, step, target};
use crate::{manifest, setup};

/// What is done with the packages.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packages {
    /// Each is built from its own, then all are used.
    Use,
    /// All are checked by the compiler, together.
    Check,
}

pub(crate) fn task(arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        [] => run(Packages::Use),
        ["check"] => run(Packages::Check),
        _ => Err(format!("expected `check` or nothing, found {arguments:?}")),
    }
}

pub(crate) fn run(packages: Packages) -> Result {
    setup::node_packages()?;
    let mut package = cargo();
    package
        .args(["package", "--workspace", "--allow-dirty", "--quiet"])
        .args(
            manifest::UNPUBLISHED
                .iter()
                .flat_map(|name| ["--exclude", name]),
        );
    let what = if packages == Packages::Use {
        forget_older_packages()?;
        "packages of the crates, each built from its own"
    } else {
        package.arg("--no-verify");
        "packages of the crates"
    };
    step(what, unoptimized(&mut package)?)?;
    // Of one name, so that what is built of it replaces what was.
    let outside = env::temp_dir().join("multivec-packages");
    let used = unpack(&outside).and_then(|()| match packages {
        Packages::Use => use_from(&outside),
        Packages::Check => check(&outside),
    });
    fs::remove_dir_all(&outside).map_err(|error| format!("{}: {error}", outside.display()))?;
    used
}

/// Dependencies are built once for all of these, and not optimized, although
/// the profile of the workspace is in the core's manifest.
fn unoptimized(command: &mut Command) -> Result<&mut Command> {
    for name in manifest::optimized_packages()? {
        let level = format!("profile.dev.package.{name}.opt-level=0");
        command.args(["--config", &level]);
    }
    Ok(command
        .env("CARGO_TARGET_DIR", folder())
        .env("CARGO_PROFILE_DEV_DEBUG", "false")
        .env("CARGO_INCREMENTAL", "0"))
}

fn folder() -> PathBuf {
    target().join("package-check")
}

/// Cargo takes a crate of a certain version for one that never changes, so
/// that it would build on what an earlier run has unpacked.
fn forget_older_packages() -> Result {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    // Those that were unpacked from a folder, not from a registry.
    let unpacked = home.map(|home| entries(&home.join("registry/src"), "-"));
    let built = folder().join("debug/.fingerprint");
    for folder in unpacked.into_iter().flatten().chain([built]) {
        for package in entries(&folder, "multivec") {
            fs::remove_dir_all(&package)
                .map_err(|error| format!("{}: {error}", package.display()))?;
        }
    }
    Ok(())
}

/// What is in a folder and starts so.
fn entries(folder: &Path, start: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            name.to_string_lossy().starts_with(start)
        })
        .collect()
}

/// Makes a project that depends on the packages alone, their program beside it.
fn unpack(outside: &Path) -> Result {
    let failed = |error| format!("{}: {error}", outside.display());
    let source = outside.join("src");
    fs::create_dir_all(&source).map_err(failed)?;
    let version = manifest::version()?;
    let mut text = format!(
        "[package]\nname = \"smoke\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nmultivec = \"{version}\"\n\n\
         [workspace]\nmembers = [\"{command_line}-{version}\"]\nresolver = \"3\"\n\n\
         [patch.crates-io]\n",
        command_line = manifest::COMMAND_LINE,
    );
    for name in manifest::PUBLISHED {
        let package = format!("{name}-{version}");
        let tarball = folder().join("package").join(format!("{package}.crate"));
        step(
            &format!("{package}, unpacked"),
            program("tar")
                // With new dates, by which cargo sees that they changed.
                .arg("-xzmf")
                .arg(tarball)
                .arg("-C")
                .arg(outside),
        )?;
        text += &format!("{name} = {{ path = \"{package}\" }}\n");
    }
    fs::write(outside.join("Cargo.toml"), text).map_err(failed)?;
    fs::write(source.join("main.rs"), include_str!("../smoke/main.rs")).map_err(failed)?;
    // The same dependencies as in the repository.
    fs::copy(root().join("Cargo.lock"), outside.join("Cargo.lock")).map_err(failed)?;
    Ok(())
}

fn check(outside: &Path) -> Result {
    step(
        "a project outside of the repository and the packaged command line, checked",
        unoptimized(cargo().arg("check"))?
            .args(["--quiet", "--offline", "--workspace", "--manifest-path"])
            .arg(outside.join("Cargo.toml")),
    )
}

fn use_from(outside: &Path) -> Result {
    // Where ONNX Runtime's library is found beside, while the project is not.
    let model = root().join("models/minilm-colbert");
    step(
        "a project outside of the repository that uses them",
        unoptimized(cargo().arg("run"))?
            .args([
                "--quiet",
                "--offline",
                "--package",
                "smoke",
                "--manifest-path",
            ])
            .arg(outside.join("Cargo.toml"))
            .arg("--")
            .arg(&model)
            .env("XDG_CACHE_HOME", outside),
    )?;
    step(
        "the packaged command line, built",
        unoptimized(cargo().arg("build"))?
            .args(["--quiet", "--offline", "--package", manifest::COMMAND_LINE])
            .arg("--manifest-path")
            .arg(outside.join("Cargo.toml")),
    )?;
    step(
        "the packaged command line",
        program(
            &folder()
                .join("debug")
                .join(executable("multivec"))
                .to_string_lossy(),
        )
        .args(["info", "--model"])
        .arg(&model)
        .env("XDG_CACHE_HOME", outside),
    )
}
