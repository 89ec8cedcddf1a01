//! Weights as 8-bit integers, with their scales.

use prost::bytes::Bytes;

use super::layers::{Layer, LayerKind};
use super::replace::QuantizedLayer;
use crate::error::{Error, Result};
use crate::onnx::{FLOAT, INT8, TensorProto};

/// The integers that weights may become.
///
/// multivec's kernels, and ONNX Runtime as multivec sets it up, multiply
/// exactly on every processor. ONNX Runtime on its own does not on x86
/// processors without VNNI: it adds two products of 8-bit integers in 16 bits,
/// which `2 * 255 * 127` exceeds and `2 * 255 * 64` does not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WeightRange {
    /// -127 to 127.
    #[default]
    Full,
    /// -64 to 64, half as precise: for models that run elsewhere on old
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

    /// The nearest integer, ties to even, of a weight in units of its scale.
    fn level(self, weight: f32) -> i8 {
        // Adding it rounds to an integer, which is in the lowest bits.
        const ROUND: f32 = 12_582_912.;
        let weight = weight.clamp(-self.largest(), self.largest());
        let bits = (weight + ROUND).to_bits();
        bits.wrapping_sub(ROUND.to_bits()) as i8
    }
}

/// A layer with the bytes of its weights.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct LayerTensor<'a> {
    /// The layer.
    pub layer: &'a Layer,
    /// The weights as little-endian 32-bit floats, in the order of
    /// [`Layer::tensor`].
    pub bytes: &'a [u8],
    /// Names the model in errors.
    pub file: &'a str,
}

impl<'a> LayerTensor<'a> {
    /// A layer of the model `file`, with the bytes of its tensor.
    pub fn new(layer: &'a Layer, bytes: &'a [u8], file: &'a str) -> Self {
        Self { layer, bytes, file }
    }

    /// Calls `then` with each row of the tensor, in order and divided by the
    /// factors of the input's columns, if there are any.
    fn each_row(self, smoothing: &[f32], mut then: impl FnMut(usize, &[f32])) {
        let layer = self.layer;
        let width = layer.stored_width();
        let mut row = Vec::with_capacity(width);
        for (at, bytes) in self
            .bytes
            .chunks_exact(width * size_of::<f32>())
            .enumerate()
        {
            row.clear();
            let floats = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
            row.extend(floats);
            if !smoothing.is_empty() {
                if layer.transposed {
                    let pairs = row.iter_mut().zip(smoothing);
                    pairs.for_each(|(value, factor)| *value /= factor);
                } else {
                    row.iter_mut().for_each(|value| *value /= smoothing[at]);
                }
            }
            then(at, &row);
        }
    }

    /// Each weight with its row and column in the layer's shape.
    pub(super) fn weights(self) -> impl Iterator<Item = Weight> {
        let is_transposed = self.layer.transposed;
        let width = self.layer.stored_width();
        let rows = self.bytes.chunks_exact(width * size_of::<f32>());
        rows.enumerate().flat_map(move |(row, bytes)| {
            let values = bytes.as_chunks().0.iter().copied().map(f32::from_le_bytes);
            values.enumerate().map(move |(column, value)| {
                let (row, column) = if is_transposed {
                    (column, row)
                } else {
                    (row, column)
                };
                Weight { row, column, value }
            })
        })
    }
}

/// A weight at its position in a layer's shape.
#[derive(Clone, Copy)]
pub(super) struct Weight {
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) value: f32,
}

/// The quantized weights of a layer: `weight = value * scale`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct QuantizedWeights {
    /// Row-major, in the layer's shape.
    pub values: Vec<i8>,
    /// One for each column of a product, or for each row of a table.
    pub scales: Vec<f32>,
}

/// Quantizes weights by the range of each column of a product, or of each row
/// of a table. `smoothing` are the factors of the columns of the input, `[inner]`
/// or empty.
///
/// # Errors
/// [`Error::InvalidModel`] if there are more or fewer bytes or factors than the
/// layer's shape says, and if a weight is not finite.
pub fn quantize_weights(
    tensor: LayerTensor<'_>,
    range: WeightRange,
    smoothing: &[f32],
) -> Result<QuantizedWeights> {
    let layer = tensor.layer;
    let refuse = |expected: &str, found: String| {
        let (name, weights) = (&layer.name, &layer.weights);
        let source = format!("expected {expected} in `{weights}` of `{name}`, found {found}");
        Err(Error::invalid(tensor.file, source))
    };
    let expected = layer.weight_count() * size_of::<f32>();
    if tensor.bytes.len() != expected {
        let found = tensor.bytes.len().to_string();
        return refuse(&format!("{expected} bytes"), found);
    }
    let [inner, columns] = layer.shape;
    if !smoothing.is_empty() && smoothing.len() != inner {
        let found = format!("{} factors", smoothing.len());
        return refuse(&format!("{inner} columns of the input"), found);
    }
    let is_by_row = layer.has_scale_for_stored_row();
    // The bits of magnitudes, whose order is that of the numbers, with those
    // that are not finite at the end.
    let mut largest = vec![0; layer.scale_count()];
    tensor.each_row(smoothing, |at, row| {
        let bits = row.iter().map(|value| value.abs().to_bits());
        if is_by_row {
            largest[at] = bits.fold(0, u32::max);
        } else {
            let pairs = largest.iter_mut().zip(bits);
            pairs.for_each(|(largest, bits)| *largest = bits.max(*largest));
        }
    });
    let found = largest.iter().copied().map(f32::from_bits);
    if let Some(value) = found.clone().find(|value| !value.is_finite()) {
        return refuse("finite numbers", value.to_string());
    }
    let scale = |largest: f32| match largest / range.largest() {
        // If all weights are zeros, or nearly so, any scale will do.
        scale if scale < f32::MIN_POSITIVE => 1.,
        scale => scale,
    };
    let scales: Vec<f32> = found.map(scale).collect();
    let mut values = vec![0i8; layer.weight_count()];
    let mut levels = Vec::new();
    tensor.each_row(smoothing, |at, row| {
        levels.clear();
        if is_by_row {
            let scale = scales[at];
            levels.extend(row.iter().map(|value| range.level(value / scale)));
        } else {
            let pairs = row.iter().zip(&scales);
            levels.extend(pairs.map(|(value, scale)| range.level(value / scale)));
        }
        if layer.transposed {
            let column = values[at..].iter_mut().step_by(columns);
            column.zip(&levels).for_each(|(to, from)| *to = *from);
        } else {
            values[at * columns..][..columns].copy_from_slice(&levels);
        }
    });
    Ok(QuantizedWeights { values, scales })
}

impl QuantizedWeights {
    /// The weights as tensors without names, for [`replace`](super::replace()),
    /// with the smoothing that they were quantized with.
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
        let values = self.values.into_iter().map(|value| value as u8);
        QuantizedLayer {
            weights: tensor(INT8, vec![rows, columns], values.collect()),
            scales: tensor(FLOAT, scale_dims, floats(&self.scales)),
            smoothing: match smoothing {
                [] => None,
                factors => Some(tensor(FLOAT, vec![rows], floats(factors))),
            },
            layer,
        }
    }
}
