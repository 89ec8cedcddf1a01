//! Releases: `cargo xtask msrv`, `semver` and `release-checks`, to which they
//! are held; `dist` and `publish`, which make them.

use std::fs;

use crate::command::{
    Result, answers, cargo, cargo_of, executable, output, program, root, step, target,
};
use crate::{licenses, manifest, package, setup, tools};

/// Whether the crates build with the oldest Rust that they promise.
pub(crate) fn msrv() -> Result {
    let version = manifest::rust_version()?;
    if !answers(cargo_of(&version).arg("--version")) {
        step(
            &format!("Rust {version}"),
            program("rustup").args(["toolchain", "install", &version, "--profile", "minimal"]),
        )?;
    }
    step(
        &format!("the crates with Rust {version}"),
        cargo_of(&version)
            .args(["check", "--locked", "--all-features"])
            .args(packages(&manifest::PUBLISHED)),
    )
}

/// Whether the version says what has changed since the last release.
pub(crate) fn semver() -> Result {
    let last = program("git")
        .args([
            "describe",
            "--tags",
            "--abbrev=0",
            "--match",
            "v[0-9]*",
            "HEAD^",
        ])
        .output()
        .map_err(|error| format!("git: {error}"))?;
    if !last.status.success() {
        println!(
            "==> semantic versions: skipped, there is no earlier release: {}",
            String::from_utf8_lossy(&last.stderr).trim()
        );
        return Ok(());
    }
    let last = String::from_utf8_lossy(&last.stdout).trim().to_owned();
    let checks = tools::CARGO_SEMVER_CHECKS.install()?;
    step(
        &format!("semantic versions since {last}"),
        program(&checks.to_string_lossy())
            .args(["semver-checks", "--baseline-rev", &last])
            .args(packages(&manifest::LIBRARIES)),
    )
}

/// All that has to pass before anything is published.
pub(crate) fn checks() -> Result {
    tag_agrees()?;
    msrv()?;
    semver()?;
    package::run(package::Packages::Use)
}

/// Publishes `crates` or `npm`; with `--dry-run` up to the upload.
pub(crate) fn publish(arguments: &[String]) -> Result {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (what, dry) = match words[..] {
        [what] => (what, None),
        [what, "--dry-run"] => (what, Some("--dry-run")),
        _ => ("", None),
    };
    match what {
        "crates" => step(
            "the crates, each after those that it needs",
            cargo()
                .args(["publish", "--locked"])
                .args(packages(&manifest::PUBLISHED))
                .args(dry),
        ),
        "npm" => npm(dry),
        _ => Err(format!(
            "expected `crates` or `npm`, then `--dry-run` or nothing, found {arguments:?}"
        )),
    }
}

fn npm(dry: Option<&str>) -> Result {
    setup::node_packages()?;
    setup::rust_target(setup::WASM)?;
    tools::WASM_BINDGEN.install()?;
    licenses::notices(&["npm".to_owned()])?;
    let js = root().join("js");
    // `cargo xtask test` tests modules that are not optimized as a whole.
    for script in ["build", "test:package"] {
        step(
            &format!("the npm package, {script}"),
            program("npm").args(["run", script]).current_dir(&js),
        )?;
    }
    step(
        "the npm package",
        program("npm")
            .args(["publish", "--provenance", "--access", "public"])
            .args(dry)
            .current_dir(&js),
    )
}

/// The command line for this machine, with licences, in `target/dist`.
pub(crate) fn dist() -> Result {
    step(
        "the command line, a release build",
        cargo()
            .args(["build", "--release", "--locked", "--package"])
            .arg(manifest::COMMAND_LINE),
    )?;
    let name = format!("multivec-{}-{}", manifest::version()?, host()?);
    let folder = target().join("dist").join(&name);
    let failed = |error| format!("{}: {error}", folder.display());
    fs::create_dir_all(&folder).map_err(failed)?;
    let program_name = executable("multivec");
    for (from, to) in [
        (
            target().join("release").join(&program_name),
            program_name.as_str(),
        ),
        (root().join("LICENSE"), "LICENSE"),
        (root().join("README.md"), "README.md"),
    ] {
        fs::copy(from, folder.join(to)).map_err(failed)?;
    }
    let notices = folder.join("THIRD-PARTY-NOTICES.md");
    licenses::notices(&["cli".to_owned(), notices.to_string_lossy().into_owned()])?;
    step(
        "the archive",
        program("tar")
            .args(["-czf", &format!("{name}.tar.gz"), &name])
            .current_dir(target().join("dist")),
    )
}

/// The target that this machine builds for.
fn host() -> Result<String> {
    output(program("rustc").args(["--version", "--verbose"]))?
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| "rustc --version --verbose: expected a line `host: `, found none".to_owned())
}

/// The tag of this commit, where there is one, names the crates' version.
fn tag_agrees() -> Result {
    let tags = output(program("git").args(["tag", "--points-at", "HEAD"]))?;
    let expected = format!("v{}", manifest::version()?);
    if tags.trim().is_empty() || tags.lines().any(|tag| tag == expected) {
        Ok(())
    } else {
        Err(format!(
            "expected the tag {expected}, found {}",
            tags.trim()
        ))
    }
}

fn packages(names: &[&str]) -> impl Iterator<Item = String> {
    names.iter().map(|name| format!("--package={name}"))
}
