//! Weights as 8-bit integers and the scales that belong to them.

use prost::bytes::Bytes;

use super::layers::{Layer, LayerKind, Orientation};
use super::{QuantizedLayer, invalid};
use crate::Result;
use crate::onnx::{FLOAT, INT8, TensorProto};

/// The integers that weights may take.
///
/// multivec's kernels, and ONNX Runtime as multivec sets it up, multiply
/// exactly on every processor. ONNX Runtime on its own does not on x86
/// processors without VNNI: there it adds two products of 8 bits in 16, which
/// `2 * 255 * 127` exceeds and `2 * 255 * 64` does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightRange {
    /// -127 to 127.
    #[default]
    Full,
    /// -64 to 64, half as fine: for models that others will run on old
    /// processors.
    Reduced,
}

impl WeightRange {
    fn largest(self) -> f32 {
        match self {
            Self::Full => 127.,
            Self::Reduced => 64.,
        }
    }
}

/// The weights of a layer: `weight = level * scale`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LayerWeights {
    /// Row-major, of the layer's shape.
    pub levels: Vec<i8>,
    /// One a column of a product, one a row of a table.
    pub scales: Vec<f32>,
}

/// Quantizes weights, with the range of each column of a product and of each
/// row of a table. `bytes` are those of the layer's tensor, 4 a weight;
/// `smoothing` is what columns of the input are multiplied by, `[inner]`, or
/// nothing.
///
/// # Errors
/// [`Error::InvalidModel`](crate::Error::InvalidModel) for too many or too few
/// bytes, and for weights that are not finite.
pub fn quantize_weights(
    layer: &Layer,
    file: &str,
    range: WeightRange,
    smoothing: &[f32],
    bytes: &[u8],
) -> Result<LayerWeights> {
    let refuse = |expected: &str, found: String| {
        let name = &layer.name;
        Err(invalid(
            file,
            format!("expected {expected} in the weights of `{name}`, found {found}"),
        ))
    };
    let expected = layer.weights() * size_of::<f32>();
    if bytes.len() != expected {
        return refuse(&format!("{expected} bytes"), bytes.len().to_string());
    }
    let [rows, columns] = layer.shape;
    if !smoothing.is_empty() && smoothing.len() != rows {
        let found = format!("{} factors", smoothing.len());
        return refuse(&format!("{rows} columns of the input"), found);
    }
    let weights = || {
        floats(layer, bytes).map(|(row, column, value)| match smoothing {
            [] => (row, column, value),
            factors => (row, column, value / factors[row]),
        })
    };
    let by_row = layer.kind == LayerKind::Embedding;
    let mut scales = vec![0f32; if by_row { rows } else { columns }];
    for (row, column, value) in weights() {
        if !value.is_finite() {
            return refuse("finite numbers", value.to_string());
        }
        let scale = &mut scales[if by_row { row } else { column }];
        *scale = scale.max(value.abs());
    }
    for scale in &mut scales {
        *scale = match *scale / range.largest() {
            // Nothing but zeros, or next to: any scale will do.
            tiny if tiny < f32::MIN_POSITIVE => 1.,
            scale => scale,
        };
    }
    let mut levels = vec![0i8; layer.weights()];
    for (row, column, value) in weights() {
        let scale = scales[if by_row { row } else { column }];
        let level = (value / scale).round_ties_even();
        let level = level.clamp(-range.largest(), range.largest());
        levels[row * columns + column] = level as i8;
    }
    Ok(LayerWeights { levels, scales })
}

/// The weights of a layer, each with its row and column in the layer's shape.
pub(super) fn floats(layer: &Layer, bytes: &[u8]) -> impl Iterator<Item = (usize, usize, f32)> {
    let is_turned = layer.orientation == Orientation::Transposed;
    let width = layer.shape[usize::from(!is_turned)];
    let rows = bytes.chunks_exact(width * size_of::<f32>()).enumerate();
    rows.flat_map(move |(row, bytes)| {
        let values = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
        values
            .enumerate()
            .map(move |(column, value)| match is_turned {
                true => (column, row, value),
                false => (row, column, value),
            })
    })
}

impl LayerWeights {
    /// The weights as tensors without names, for
    /// [`replace`](super::replace), with the factors that they were quantized
    /// with.
    pub fn into_layer(self, layer: Layer, smoothing: &[f32]) -> QuantizedLayer {
        let [rows, columns] = layer.shape.map(|size| size as i64);
        let tensor = |data_type, dims, bytes: Vec<u8>| TensorProto {
            dims,
            data_type: Some(data_type),
            raw_data: Some(Bytes::from(bytes)),
            ..TensorProto::default()
        };
        let floats = |values: &[f32]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        let scale_dims = match layer.kind {
            LayerKind::Product => vec![columns],
            LayerKind::Embedding => vec![rows, 1],
        };
        let levels = self.levels.into_iter().map(|level| level as u8);
        QuantizedLayer {
            weights: tensor(INT8, vec![rows, columns], levels.collect()),
            scales: tensor(FLOAT, scale_dims, floats(&self.scales)),
            smoothing: match smoothing {
                [] => None,
                factors => Some(tensor(FLOAT, vec![rows], floats(factors))),
            },
            layer,
        }
    }
}
