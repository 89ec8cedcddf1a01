//! The files of a quantized model.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use multivec_core::{Error, Result};
use tempfile::NamedTempFile;

use super::error::failed;
use super::options::Existing;
use super::workspace::{External, Workspace};
use crate::atomic_file::beside;
use crate::model::{ModelDirectory, ModelGraph, is_same};

const MODEL: &str = "model_int8.onnx";
const DATA: &str = "model_int8.onnx.data";

/// The directory that a model is written to.
pub(super) struct Destination {
    folder: PathBuf,
    /// Whether it differs from the FP32 model's directory.
    is_apart: bool,
}

impl Destination {
    pub(super) fn new(
        directory: &ModelDirectory,
        model: &Path,
        output: Option<&Path>,
        existing: Existing,
    ) -> Result<Self> {
        let home = model.parent().unwrap_or(Path::new(""));
        if let Some(output) = output
            && (is_same(output, home) || is_same(output, directory.root()))
        {
            return Err(Error::option(
                "output",
                "another directory than the model's, or none to write beside the model",
                output.display(),
            ));
        }
        let folder = output.unwrap_or(home).to_owned();
        if existing == Existing::Refuse && folder.join(MODEL).exists() {
            return Err(Error::option(
                "output",
                format!("a directory without {MODEL}, unless it may be replaced"),
                folder.display(),
            ));
        }
        Ok(Self {
            is_apart: output.is_some(),
            folder,
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Refuses to overwrite the FP32 model's own weights.
    pub(super) fn check_weights_of(&self, model: &ModelGraph) -> Result<()> {
        if !self.is_apart && model.external_files().any(|name| name == DATA) {
            return Err(Error::option(
                "output",
                format!("another directory than that of {DATA}, which the model needs"),
                self.folder.display(),
            ));
        }
        Ok(())
    }

    pub(super) fn make(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| failed(&self.folder, "creating", error))
    }

    /// Writes the model, its external weights first. Returns both files.
    pub(super) fn write(
        &self,
        workspace: &Workspace,
        kept: &BTreeSet<usize>,
        limit: u64,
    ) -> Result<(PathBuf, Option<PathBuf>)> {
        let (file, weights) = (self.folder.join(MODEL), self.folder.join(DATA));
        let fail = |error| failed(&weights, "writing", error);
        let mut data = BufWriter::new(beside(&weights).map_err(fail)?);
        let external = External {
            name: DATA,
            data: &mut data,
        };
        let finished = workspace.finish(kept, limit, external)?;
        let data = data.into_inner().map_err(|error| fail(error.into()))?;
        let data = if finished.is_external {
            keep(data, &weights)?;
            Some(weights)
        } else {
            None
        };
        self.put(MODEL, &finished.model)?;
        Ok((file, data))
    }

    /// Copies all but the transformer's weights to another directory.
    pub(super) fn copy_rest(&self, directory: &ModelDirectory) -> Result<()> {
        if !self.is_apart {
            return Ok(());
        }
        for name in directory.files_besides_weights() {
            let path = self.folder.join(name);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| failed(folder, "creating", error))?;
            }
            self.put(name, &directory.read(name)?)?;
        }
        Ok(())
    }

    fn put(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let fail = |error| failed(&path, "writing", error);
        let mut file = beside(&path).map_err(fail)?;
        file.write_all(content).map_err(fail)?;
        keep(file, &path)
    }
}

/// Renames a file to its final name once its content is on disk.
fn keep(file: NamedTempFile, path: &Path) -> Result<()> {
    let fail = |error| failed(path, "writing", error);
    file.as_file().sync_all().map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}
