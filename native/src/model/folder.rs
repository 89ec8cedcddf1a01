//! The files of a folder, in the form that descriptions are read from.

use std::fs;
use std::path::Path;

use multivec_core::model::ModelFolder;
use multivec_core::{Error, Result};

use super::read::read;

/// How deep files are looked for: models have modules, graphs and weights in
/// folders of their own, and nothing in folders of those.
const DEPTH: usize = 2;
/// Files of the largest folder that can be a model's.
const MOST_FILES: usize = 10_000;

/// Lists a folder, and reads what descriptions depend on.
pub(super) fn list(root: &Path) -> Result<ModelFolder> {
    let mut paths = Vec::new();
    walk(root, "", DEPTH, &mut paths)?;
    paths.into_iter().try_fold(
        ModelFolder::new(root.display().to_string()),
        |folder, path| {
            Ok(if ModelFolder::reads(&path) {
                let content = read(&root.join(&path))?;
                folder.with_file(path, content)
            } else {
                folder.with_path(path)
            })
        },
    )
}

/// Adds the paths of all files below `folder`, relative to the root.
fn walk(root: &Path, folder: &str, depth: usize, paths: &mut Vec<String>) -> Result<()> {
    let place = root.join(folder);
    let failed = |source| Error::io(place.display(), "reading the model directory", source);
    for entry in fs::read_dir(&place).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        // Names that are not Unicode are none of a model's.
        let Some(name) = name.to_str() else { continue };
        let path = if folder.is_empty() {
            name.to_owned()
        } else {
            format!("{folder}/{name}")
        };
        // Follows links, which caches of hubs are made of.
        let Ok(data) = fs::metadata(root.join(&path)) else {
            continue;
        };
        if data.is_dir() {
            if depth > 0 && !name.starts_with('.') {
                walk(root, &path, depth - 1, paths)?;
            }
        } else if paths.len() < MOST_FILES {
            paths.push(path);
        } else {
            return Err(Error::missing_file(
                root.display(),
                "a model directory",
                format_args!("a folder of at most {MOST_FILES} files"),
            ));
        }
    }
    Ok(())
}
