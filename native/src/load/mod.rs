//! From a model directory, or from bytes, to an encoder.

mod auto;
mod builder;
#[cfg(test)]
mod shapes;
mod tract;

pub use builder::EncoderBuilder;
