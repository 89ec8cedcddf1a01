//! Models in 8-bit integers, made from models in 32-bit floats.
//!
//! Weights are quantized once, symmetric around 0: those of a linear layer by
//! column, those of an embedding table by row. The rows that a layer reads are
//! quantized when it runs, by the standard operators `DynamicQuantizeLinear` and
//! `MatMulInteger`, so that any engine runs the result. Where
//! [`fuse`](crate::fuse()) recognises them, each row has its own scale.
//!
//! Columns of activations that are much larger than others can be scaled to
//! similar sizes before, see [`smoothing_factors`], once calibration has shown
//! their sizes.
//!
//! The caller chooses which layers are quantized: [`layers`] finds them,
//! [`quantize_weights`] quantizes each, [`replace`] puts them in the graph.
//! [`quantize_all`] does so with every layer, without calibration.

mod all;
mod layers;
mod replace;
mod smooth;
#[cfg(test)]
mod tests;
mod weights;

pub use all::quantize_all;
pub use layers::{Layer, LayerKind, layers};
pub use replace::{QuantizedLayer, replace};
pub use smooth::{CalibrationStats, Smoothable, smoothable, smoothing_factors};
pub use weights::{LayerTensor, QuantizedWeights, WeightRange, quantize_weights};
