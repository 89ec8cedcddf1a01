//! A module for each command.

pub(crate) mod encode;
pub(crate) mod export;
mod hybrid;
pub(crate) mod info;
pub(crate) mod optimize;
#[cfg(feature = "hub")]
pub(crate) mod pull;
pub(crate) mod quantize;
pub(crate) mod rerank;
pub(crate) mod runtime;
pub(crate) mod search;
mod search_vectors;
mod table_vectors;
pub(crate) mod verify;
