//! Models as they are named on the command line: directories, or ids.

use std::path::Path;

#[cfg(feature = "hub")]
use multivec::hub::{HubId, HubOptions, Network, pull};
use multivec::{EncoderBuilder, LoadOptions, ModelDirectory, Result};

#[cfg(feature = "hub")]
use crate::downloads;

/// Whether a name is an id. A directory of that name comes first.
#[cfg(feature = "hub")]
fn id(model: &Path) -> Option<HubId> {
    let id = model.to_str()?.parse().ok();
    id.filter(|_| !model.is_dir())
}

/// Whether a model is one of a hub.
pub(crate) fn is_of_hub(model: &Path) -> bool {
    #[cfg(feature = "hub")]
    return id(model).is_some();
    #[cfg(not(feature = "hub"))]
    {
        let _ = model;
        false
    }
}

/// Loads a model by its name.
pub(crate) fn builder(model: &Path) -> EncoderBuilder {
    #[cfg(feature = "hub")]
    if let Some(id) = id(model) {
        return EncoderBuilder::from_hub(id.to_string()).with_hub_options(downloads::options());
    }
    EncoderBuilder::from_dir(model)
}

/// The directory of a model that was loaded before.
pub(crate) fn loaded_directory(model: &Path, options: &LoadOptions) -> Result<ModelDirectory> {
    #[cfg(feature = "hub")]
    if let Some(id) = id(model) {
        let cache = HubOptions::default().with_network(Network::Offline);
        return Ok(pull(&id.to_string(), &cache, options)?.directory);
    }
    let _ = options;
    ModelDirectory::open(model)
}

/// The directory of a model; of one of a hub the files that these options need.
pub(crate) fn directory(model: &Path, options: &LoadOptions) -> Result<ModelDirectory> {
    #[cfg(feature = "hub")]
    if let Some(id) = id(model) {
        return Ok(pull(&id.to_string(), &downloads::options(), options)?.directory);
    }
    let _ = options;
    ModelDirectory::open(model)
}
