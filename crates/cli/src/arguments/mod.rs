//! Arguments that several commands take.

mod model;
mod provider;
mod store;

pub(crate) use model::{EngineName, LoadedModel, ModelArguments, PrecisionName, note_fallback};
pub(crate) use store::StoreName;
