//! From a model directory, or from bytes, to an encoder.

mod builder;
mod engine;
#[cfg(test)]
mod heads;
#[cfg(feature = "hub")]
mod hub;
#[cfg(test)]
mod masks;
mod onnxruntime;
mod provider;
#[cfg(test)]
mod shapes;
mod source;
mod tract;

pub use builder::EncoderBuilder;
