//! Where the files of a model are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use multivec_core::model::ModelFolder;
use multivec_core::{Error, Result};
use multivec_graph::Bytes;

use super::folder;
use super::read::read;
use super::weights::{Content, HeldFile};

#[derive(Clone, Debug)]
pub(super) enum Place {
    Folder(PathBuf),
    /// By their paths.
    Memory(BTreeMap<String, Bytes>),
}

impl Place {
    pub(super) fn list(&self) -> Result<ModelFolder> {
        match self {
            Self::Folder(root) => folder::list(root),
            Self::Memory(files) => {
                let empty = ModelFolder::new("");
                Ok(files.iter().fold(empty, |folder, (path, content)| {
                    if ModelFolder::reads(path) {
                        folder.with_file(path, content.to_vec())
                    } else {
                        folder.with_path(path)
                    }
                }))
            }
        }
    }

    /// The name of a file in messages.
    pub(super) fn name(&self, file: &str) -> String {
        match self {
            Self::Folder(root) => root.join(file).display().to_string(),
            Self::Memory(_) => file.to_owned(),
        }
    }

    pub(super) fn read(&self, file: &str) -> Result<Bytes> {
        match self {
            Self::Folder(root) => Ok(read(&root.join(file))?.into()),
            Self::Memory(files) => self.find(files, file),
        }
    }

    /// A file whose parts are read later.
    pub(super) fn hold(&self, file: &str) -> Result<HeldFile> {
        match self {
            Self::Folder(root) => Ok(HeldFile::open(file, &root.join(file))?),
            Self::Memory(files) => Ok(HeldFile {
                name: file.to_owned(),
                path: file.to_owned(),
                content: Content::Memory(self.find(files, file)?),
            }),
        }
    }

    /// The folder on disk, if there is one.
    pub(super) fn root(&self) -> Option<&Path> {
        match self {
            Self::Folder(root) => Some(root),
            Self::Memory(_) => None,
        }
    }

    fn find(&self, files: &BTreeMap<String, Bytes>, file: &str) -> Result<Bytes> {
        let found = files.get(file).cloned();
        found.ok_or_else(|| Error::missing_file("the files in memory", "a file", file))
    }
}
