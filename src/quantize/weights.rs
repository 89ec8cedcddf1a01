//! Weights as 8-bit integers and the scales that belong to them.

use prost::bytes::Bytes;

use super::layers::{Layer, LayerKind, Orientation};
use super::{QuantizedLayer, invalid};
use crate::error::Result;
use crate::graph::onnx::{FLOAT, INT8, TensorProto};

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
/// row of a table. `bytes` are those of the layer's tensor, 4 a weight.
///
/// # Errors
/// [`Error::InvalidModel`](crate::Error::InvalidModel) for too many or too few
/// bytes, and for weights that are not finite.
pub fn quantize_weights(
    layer: &Layer,
    file: &str,
    range: WeightRange,
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
    let is_turned = layer.orientation == Orientation::Transposed;
    // Scales go by the rows of what is held, or by its columns.
    let by_row = is_turned || layer.kind == LayerKind::Embedding;
    let columns = layer.shape[usize::from(!is_turned)];
    let rows = layer.weights() / columns;
    let weights = || {
        let rows = bytes.chunks_exact(columns * size_of::<f32>()).enumerate();
        rows.flat_map(|(row, bytes)| {
            let values = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
            let cells = values.enumerate();
            cells.map(move |(column, value)| (row, column, value))
        })
    };
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
        let at = match is_turned {
            true => column * rows + row,
            false => row * columns + column,
        };
        levels[at] = level.clamp(-range.largest(), range.largest()) as i8;
    }
    Ok(LayerWeights { levels, scales })
}

impl LayerWeights {
    /// The weights as tensors without names, for
    /// [`replace`](super::replace).
    pub fn into_layer(self, layer: Layer) -> QuantizedLayer {
        let [rows, columns] = layer.shape.map(|size| size as i64);
        let tensor = |data_type, dims, bytes: Vec<u8>| TensorProto {
            dims,
            data_type: Some(data_type),
            raw_data: Some(Bytes::from(bytes)),
            ..TensorProto::default()
        };
        let scales = self.scales.iter().flat_map(|scale| scale.to_le_bytes());
        let scale_dims = match layer.kind {
            LayerKind::Product => vec![columns],
            LayerKind::Embedding => vec![rows, 1],
        };
        let levels = self.levels.into_iter().map(|level| level as u8);
        QuantizedLayer {
            weights: tensor(INT8, vec![rows, columns], levels.collect()),
            scales: tensor(FLOAT, scale_dims, scales.collect()),
            layer,
        }
    }
}
