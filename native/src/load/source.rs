//! Where a model is loaded from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
#[cfg(feature = "hub")]
use std::sync::Arc;

#[cfg(feature = "hub")]
use multivec_core::Error;
use multivec_core::{ModelKind, Result};
use multivec_graph::Bytes;

#[cfg(feature = "hub")]
use crate::hub::{HubOptions, Repository};
use crate::model::{ModelBytes, ModelDirectory, ModelFiles};
use crate::options::LoadOptions;

#[derive(Clone, Debug)]
pub(super) enum Source {
    Directory(PathBuf),
    /// By their paths in a directory.
    Files(BTreeMap<String, Bytes>),
    /// By its id.
    #[cfg(feature = "hub")]
    Hub {
        id: String,
        options: HubOptions,
    },
    /// Options of hubs, for a model that is from none.
    #[cfg(feature = "hub")]
    OutsideHub,
    #[cfg(feature = "hub")]
    Repository(Arc<Repository>),
    /// The model apart from the other files, so that it is never copied.
    Bytes {
        rest: ModelBytes,
        model: Bytes,
    },
}

impl Source {
    /// The source once it is known which files it has.
    pub(super) fn open(&self) -> Result<Cow<'_, Self>> {
        Ok(match self {
            #[cfg(feature = "hub")]
            Self::Hub { id, options } => {
                Cow::Owned(Self::Repository(Arc::new(Repository::open(id, options)?)))
            }
            other => Cow::Borrowed(other),
        })
    }

    /// Reads the model of the precision that the options ask for; one of several
    /// kinds as the kind that is wanted.
    pub(super) fn read(
        &self,
        options: &LoadOptions,
        wanted: Option<ModelKind>,
    ) -> Result<ModelFiles> {
        match self {
            Self::Directory(root) => {
                ModelFiles::from_directory(&ModelDirectory::open(root)?, options, wanted)
            }
            Self::Files(files) => {
                let directory = ModelDirectory::in_memory(files.clone())?;
                ModelFiles::from_directory(&directory, options, wanted)
            }
            #[cfg(feature = "hub")]
            Self::Hub { .. } => self.open()?.read(options, wanted),
            #[cfg(feature = "hub")]
            Self::OutsideHub => Err(Error::option(
                "revision",
                "a model by its id",
                "one from a folder or from memory",
            )),
            #[cfg(feature = "hub")]
            Self::Repository(repository) => {
                let mut files =
                    ModelFiles::from_directory(&repository.directory(options)?, options, wanted)?;
                files.parts = files.parts.with_origin(repository.origin());
                Ok(files)
            }
            Self::Bytes { rest, model } => ModelFiles::from_bytes(rest, model, options, wanted),
        }
    }
}
