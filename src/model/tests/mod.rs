mod assembled;
mod contradictions;
mod damaged;
mod folders;
mod formats;
mod kinds;
mod rows;

use std::fs;
use std::path::{Path, PathBuf};

use super::{ModelDescription, ModelFolder, describe};

fn root(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder)
}

fn read(folder: &str, path: &str) -> Vec<u8> {
    let path = root(folder).join(path);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of a fixture.
fn folder(name: &str) -> ModelFolder {
    let root = root(name);
    let mut folder = ModelFolder::new(name);
    let mut open = vec![root.clone()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("the fixture is there") {
            let path = entry.expect("it can be listed").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let inner = path.strip_prefix(&root).expect("it is below the root");
            let inner = inner.to_str().expect("it is UTF-8").replace('\\', "/");
            folder = if ModelFolder::reads(&inner) {
                folder.with_file(inner, fs::read(&path).expect("it can be read"))
            } else {
                folder.with_path(inner)
            };
        }
    }
    folder
}

fn described(name: &str) -> ModelDescription {
    describe(&folder(name)).unwrap_or_else(|error| panic!("{error}"))
}
