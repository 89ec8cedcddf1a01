//! Models of a hub that speaks the protocol of huggingface.co, by their ids.
//!
//! Files are kept in the cache that Hugging Face's Python libraries use, in
//! the same layout: what they have downloaded is not downloaded again, nor the
//! other way round. Sources: "Understand caching" in the documentation of
//! huggingface_hub, and its `file_download.py`, version 1.
//!
//! The hub is asked which commit a revision is at each time that a model is
//! loaded, unless the revision is a commit whose files are all there. What is
//! cached serves only where the hub cannot be reached (no connection, time-out,
//! status 5xx) or where it must not be asked.

mod address;
mod cache;
mod client;
mod commit;
mod download;
mod id;
mod listing;
mod options;
mod refusal;
mod repository;
mod settings;
mod verify;

use multivec_core::Result;

use crate::model::ModelDirectory;
use crate::options::LoadOptions;
pub use id::HubId;
pub use options::{HubEvent, HubOptions, Network};
pub(crate) use repository::Repository;

/// A model in the cache.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HubModel {
    /// What the repository has at this commit, of which the folder has at least
    /// the files that were asked for.
    pub directory: ModelDirectory,
    /// The commit, 40 hexadecimal digits.
    pub commit: String,
    /// The repository and the commit, as [`Encoder::origin`](crate::Encoder::origin)
    /// has them.
    pub origin: String,
}

/// Downloads the files that loading a model with these options reads, unless
/// they are in the cache.
///
/// # Errors
/// [`Error::Hub`](crate::Error::Hub) if the hub refuses, or cannot be reached
/// while files are missing, [`Error::InvalidOption`](crate::Error::InvalidOption)
/// for an id that is none, [`Error::Io`](crate::Error::Io) if the cache cannot
/// be written, and those of [`describe`](multivec_core::model::describe).
pub fn pull(id: &str, hub: &HubOptions, options: &LoadOptions) -> Result<HubModel> {
    let repository = Repository::open(id, hub)?;
    Ok(HubModel {
        directory: repository.directory(options)?,
        commit: repository.commit().to_owned(),
        origin: repository.origin(),
    })
}
