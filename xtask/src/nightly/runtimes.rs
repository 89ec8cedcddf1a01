//! `runtimes`: parity on other versions of ONNX Runtime than the one that is
//! shipped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::{Result, cargo, output, program, root, step, target};
use crate::setup;
use crate::test::parity;

/// The oldest version of ONNX Runtime whose Python package has a library that
/// loads (1.17 and 1.18 are supported too), and the newest that
/// was tried; that of `js/package-lock.json` comes between.
const OLDEST: &str = "1.19.2";
const NEWEST: &str = "1.32.0";

/// Parity on other versions of ONNX Runtime than the one that is shipped.
pub(super) fn run() -> Result {
    setup::node_packages()?;
    for version in [OLDEST, &shipped()?, NEWEST] {
        let library = runtime(version)?;
        let mut cargo = cargo();
        let parity = parity(&mut cargo).env("ORT_DYLIB_PATH", library);
        if version == OLDEST {
            // Without VNNI, the products of 8 bits of its own operators saturate:
            // a mean cosine of 0.970 where newer versions have 0.992.
            parity.args(["--", "--skip", "int8_of_the_demo_model_original"]);
        }
        step(&format!("parity with ONNX Runtime {version}"), parity)?;
    }
    Ok(())
}

/// The version of the npm package.
fn shipped() -> Result<String> {
    let path = root().join("js/package.json");
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    text.lines()
        .find_map(|line| {
            line.trim()
                .strip_prefix("\"onnxruntime-node\": \"")?
                .split('"')
                .next()
        })
        .map(str::to_owned)
        .ok_or_else(|| format!("{}: expected onnxruntime-node, found none", path.display()))
}

/// The library of the Python package of that version.
fn runtime(version: &str) -> Result<PathBuf> {
    let folder = target().join("runtimes").join(version);
    let capi = folder.join("onnxruntime/capi");
    if library(&capi).is_none() {
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let python = |arguments: &[&str]| {
            let mut command = program(if cfg!(windows) { "python" } else { "python3" });
            command.args(arguments).current_dir(&folder);
            command
        };
        let package = format!("onnxruntime=={version}");
        step(
            &format!("the Python package {package}"),
            &mut python(&[
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                &package,
            ]),
        )?;
        // A wheel is a zip file, which Python can read everywhere.
        let unpack = "import glob, zipfile; zipfile.ZipFile(glob.glob('*.whl')[0]).extractall()";
        output(&mut python(&["-c", unpack]))?;
    }
    library(&capi).ok_or_else(|| {
        format!(
            "{}: expected ONNX Runtime's library, found none",
            capi.display()
        )
    })
}

fn library(folder: &Path) -> Option<PathBuf> {
    let names = ["libonnxruntime.so.", "libonnxruntime.", "onnxruntime.dll"];
    let mut paths = fs::read_dir(folder)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()));
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        names.iter().any(|start| name.starts_with(start))
    })
}
