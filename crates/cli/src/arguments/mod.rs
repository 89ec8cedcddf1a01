//! Arguments that several commands take.

mod model;
mod provider;

pub(crate) use model::{EngineName, LoadedModel, ModelArguments, PrecisionName, note_fallback};
