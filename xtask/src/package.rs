//! `cargo xtask package`: the crates as they would be published, each built
//! from its tarball, and used by a project outside of the repository.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Result, cargo, executable, program, root, step, target};
use crate::{manifest, setup};

pub(crate) fn run() -> Result {
    setup::node_packages()?;
    forget_older_packages()?;
    step(
        "packages of the crates, each built from its own",
        profiled(cargo().arg("package"))?
            .args(["--workspace", "--allow-dirty", "--quiet"])
            .args(
                manifest::UNPUBLISHED
                    .iter()
                    .flat_map(|name| ["--exclude", name]),
            ),
    )?;
    // Of one name, so that what is built of it replaces what was.
    let outside = env::temp_dir().join("multivec-packages");
    let used = use_from(&outside);
    remove(&outside)?;
    used
}

/// Other crates are taken from the builds of the workspace, which their
/// profiles have to equal: a package has none. Ours are not optimized.
fn profiled(command: &mut Command) -> Result<&mut Command> {
    let profile = target().join("package-profile.toml");
    let mut text = manifest::development_profile()?;
    for name in manifest::PUBLISHED {
        text += &format!("\n[profile.dev.package.{name}]\nopt-level = 0\n");
    }
    fs::write(&profile, text).map_err(|error| format!("{}: {error}", profile.display()))?;
    Ok(command
        .arg("--config")
        .arg(profile)
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_INCREMENTAL", "0"))
}

/// Cargo takes a crate of a certain version for one that never changes, so
/// that it would build on what an earlier run has unpacked.
fn forget_older_packages() -> Result {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    // Those that were unpacked from a folder, not from a registry.
    let unpacked = home.map(|home| entries(&home.join("registry/src"), "-"));
    for folder in unpacked.into_iter().flatten() {
        for package in entries(&folder, "multivec") {
            remove(&package)?;
        }
    }
    let debug = target().join("debug");
    for list in entries(&debug.join("deps"), "multivec") {
        if list.extension().is_none_or(|extension| extension != "d") || !is_of_a_package(&list)? {
            continue;
        }
        // `multivec_core-HASH.d` and `multivec-core-HASH`
        let name = list.file_stem().unwrap_or_default().to_string_lossy();
        let build = debug.join(".fingerprint").join(name.replace('_', "-"));
        if build.is_dir() {
            remove(&build)?;
        }
    }
    Ok(())
}

/// Whether a list of sources names those of an unpacked crate.
fn is_of_a_package(list: &Path) -> Result<bool> {
    let text = fs::read_to_string(list).map_err(|error| format!("{}: {error}", list.display()))?;
    Ok(text.replace('\\', "/").contains("registry/src/-"))
}

fn remove(folder: &Path) -> Result {
    fs::remove_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
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

/// A project that depends on the packages alone, and their program.
fn use_from(outside: &Path) -> Result {
    let failed = |error| format!("{}: {error}", outside.display());
    let source = outside.join("src");
    fs::create_dir_all(&source).map_err(failed)?;
    let version = manifest::version()?;
    let mut text = format!(
        "[package]\nname = \"smoke\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dependencies]\nmultivec = \"{version}\"\n\n[patch.crates-io]\n"
    );
    for name in manifest::PUBLISHED {
        let package = format!("{name}-{version}");
        let tarball = target().join("package").join(format!("{package}.crate"));
        step(
            &format!("{package}, unpacked"),
            program("tar")
                // With new dates, by which cargo sees that they are.
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
    // Where ONNX Runtime's library is found beside, while the project is not.
    let model = root().join("models/minilm-colbert");
    step(
        "a project outside of the repository that uses them",
        profiled(cargo().arg("run"))?
            .args(["--quiet", "--offline", "--manifest-path"])
            .arg(outside.join("Cargo.toml"))
            .arg("--")
            .arg(&model)
            .env("XDG_CACHE_HOME", outside),
    )?;
    step(
        "the packaged command line",
        program(
            &target()
                .join("debug")
                .join(executable("multivec"))
                .to_string_lossy(),
        )
        .args(["info", "--model"])
        .arg(&model)
        .env("XDG_CACHE_HOME", outside),
    )
}
