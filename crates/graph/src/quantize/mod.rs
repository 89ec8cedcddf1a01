//! Models in 8-bit integers, made of models in 32-bit floats.
//!
//! Weights are quantized once: those of a linear layer by column, those of an
//! embedding table by row, symmetric around 0. What a layer reads is quantized
//! when it runs, by the standard operators `DynamicQuantizeLinear` and
//! `MatMulInteger`, so that any engine runs the result. Where
//! [`fuse`](crate::fuse) recognises them, each row has its own scale.
//!
//! Columns of activations that are much larger than others can be brought to
//! like sizes before, see [`smooth`], once it was observed what they are.
//!
//! Which layers are quantized is the caller's choice, see
//! [`fidelity`](crate::fidelity) for a measure.

mod layers;
mod replace;
mod smooth;
#[cfg(test)]
mod tests;
mod weights;

pub use layers::{Layer, LayerKind, layers};
pub use replace::{QuantizedLayer, replace};
pub use smooth::{CalibrationStats, Smoothable, smooth, smoothable};
pub use weights::{LayerWeights, WeightRange, quantize_weights};

use prost::bytes::Bytes;

use crate::Graph;
use crate::onnx::TensorProto;
use crate::{Error, Result};

/// Quantizes every layer that can be, in memory, and returns them.
///
/// `external` reads tensors whose bytes are in another file than the graph;
/// `file` names the model in messages.
///
/// # Errors
/// [`Error::ModelMismatch`] and [`Error::InvalidModel`] as [`layers`] and
/// [`quantize_weights`].
pub fn quantize(
    graph: &mut Graph,
    file: &str,
    range: WeightRange,
    external: &dyn Fn(&TensorProto) -> Result<Bytes>,
) -> Result<Vec<Layer>> {
    let found = layers(graph, file)?;
    let quantized = found
        .iter()
        .map(|layer| {
            let tensor = layer.tensor(graph).ok_or_else(|| lost(file, layer))?;
            let bytes = crate::tensor_bytes(tensor, external)?;
            let weights = quantize_weights(layer, file, range, &[], &bytes)?;
            Ok(weights.into_layer(layer.clone(), &[]))
        })
        .collect::<Result<Vec<_>>>()?;
    replace(graph, &quantized);
    Ok(found)
}

fn lost(file: &str, layer: &Layer) -> Error {
    invalid(file, format!("expected the weights of `{}`", layer.name))
}

fn invalid(file: &str, source: String) -> Error {
    Error::InvalidModel {
        file: file.to_owned(),
        source: source.into(),
    }
}
