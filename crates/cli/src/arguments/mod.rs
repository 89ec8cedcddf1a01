//! Arguments that several commands take.

mod model;
mod provider;

pub(crate) use model::{EngineName, ModelArguments, PrecisionName, note_fallback};
