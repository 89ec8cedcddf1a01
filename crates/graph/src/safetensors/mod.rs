//! Where weights are in safetensors files, read from their headers alone.
//!
//! Source of the format: safetensors, README.md.

mod header;
mod index;
#[cfg(test)]
pub(crate) mod sample;
mod shards;
#[cfg(test)]
mod tests;

pub use header::header_length;
pub use index::{Weight, WeightIndex};
pub use shards::shard_files;
