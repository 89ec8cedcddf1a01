//! The weights of `Linear` nodes, as kernels take them.

use prost::bytes::Bytes;

use super::super::Graph;
use super::super::external::{External, tensor_bytes};
use super::super::onnx::{FLOAT, NodeProto, UINT8};
use super::super::values::elements;
use super::four_bits::{self, Blocks};
use crate::Result;
use multivec_kernels::{Activation, Layer, Linear, WeightType, Weights};

/// A layer whose tensors were read.
pub(super) struct Held {
    inner: usize,
    outer: usize,
    weights: HeldWeights,
    smoothing: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
}

enum HeldWeights {
    Floats(Vec<f32>),
    Integers {
        bytes: Bytes,
        weight_type: WeightType,
        scales: Vec<f32>,
        zero_points: Bytes,
    },
}

impl Held {
    /// Reads a `Linear` node's tensors; those whose bytes are elsewhere by
    /// `external`. `None` if they do not make a layer.
    pub(super) fn read(
        graph: &Graph,
        node: &NodeProto,
        external: &External<'_>,
    ) -> Result<Option<Self>> {
        let tensor = |at: usize| {
            let name = node.input.get(at).filter(|name| !name.is_empty());
            name.and_then(|name| graph.initializer(name))
        };
        let bytes = |at: usize| match tensor(at) {
            Some(tensor) => tensor_bytes(tensor, external),
            None => Ok(Bytes::new()),
        };
        let floats = |at: usize| Ok(elements(&bytes(at)?, f32::from_le_bytes));
        if four_bits::is_product(node) {
            let (levels, scales, zeros, bias) = (bytes(1)?, floats(2)?, bytes(3)?, floats(5)?);
            let Some(blocks) = Blocks::of(node) else {
                return Ok(None);
            };
            let weights = blocks.floats(&levels, &scales, &zeros);
            return Ok(weights.map(|weights| Self {
                inner: blocks.inner,
                outer: blocks.outer,
                weights: HeldWeights::Floats(weights),
                smoothing: Vec::new(),
                bias,
                activation: Activation::None,
            }));
        }
        let Some(matrix) = tensor(1) else {
            return Ok(None);
        };
        let transposed = node.int("transposed", 0) != 0;
        let (inner, outer) = match (matrix.dims.as_slice(), transposed) {
            (&[inner, outer], false) | (&[outer, inner], true) => (inner, outer),
            _ => return Ok(None),
        };
        let size = |dim: i64| usize::try_from(dim).unwrap_or(0);
        let (inner, outer) = (size(inner), size(outer));
        let weights = match (matrix.data_type, transposed) {
            (Some(FLOAT), false) => HeldWeights::Floats(floats(1)?),
            (Some(FLOAT), true) => HeldWeights::Floats(turned(&floats(1)?, inner)),
            (_, true) => return Ok(None),
            (other, false) => HeldWeights::Integers {
                bytes: bytes(1)?,
                weight_type: match other {
                    Some(UINT8) => WeightType::Uint8,
                    _ => WeightType::Int8,
                },
                scales: floats(2)?,
                zero_points: bytes(3)?,
            },
        };
        Ok(Some(Self {
            inner,
            outer,
            weights,
            smoothing: floats(6)?,
            bias: floats(4)?,
            activation: activation(node.text("activation")),
        }))
    }

    /// The layer for this machine's kernels, if its sizes fit each other.
    pub(super) fn pack(&self) -> Option<Linear> {
        let weights = match &self.weights {
            HeldWeights::Floats(weights) => Weights::Floats(weights),
            HeldWeights::Integers {
                bytes,
                weight_type,
                scales,
                zero_points,
            } => Weights::Integers {
                bytes,
                weight_type: *weight_type,
                scales,
                zero_points,
            },
        };
        let layer = Layer {
            weights,
            inner: self.inner,
            outer: self.outer,
            smoothing: &self.smoothing,
            bias: &self.bias,
            activation: self.activation,
        };
        layer.pack()
    }

    /// One layer with the columns of all, side by side. `None` if they differ
    /// in more than their weights.
    pub(super) fn join(layers: &[Self]) -> Option<Self> {
        let first = layers.first()?;
        let is_alike = |layer: &Self| {
            (layer.inner, &layer.smoothing) == (first.inner, &first.smoothing)
                && layer.activation == Activation::None
                && layer.is_whole()
                && match (&layer.weights, &first.weights) {
                    (HeldWeights::Floats(_), HeldWeights::Floats(_)) => true,
                    (
                        HeldWeights::Integers { weight_type, .. },
                        HeldWeights::Integers {
                            weight_type: other, ..
                        },
                    ) => weight_type == other,
                    _ => false,
                }
        };
        layers.iter().all(is_alike).then_some(())?;
        Some(Self {
            inner: first.inner,
            outer: layers.iter().map(|layer| layer.outer).sum(),
            weights: HeldWeights::join(layers)?,
            smoothing: first.smoothing.clone(),
            bias: per_column(layers, 0., |layer| &layer.bias),
            activation: Activation::None,
        })
    }

    /// Whether there are as many weights as the sizes say, and as many of what
    /// belongs to columns.
    fn is_whole(&self) -> bool {
        let of_columns = |count: usize| count <= 1 || count == self.outer;
        let size = self.inner.checked_mul(self.outer);
        of_columns(self.bias.len())
            && match &self.weights {
                HeldWeights::Floats(weights) => Some(weights.len()) == size,
                HeldWeights::Integers {
                    bytes,
                    scales,
                    zero_points,
                    ..
                } => {
                    Some(bytes.len()) == size
                        && of_columns(scales.len())
                        && of_columns(zero_points.len())
                }
            }
    }
}

impl HeldWeights {
    fn join(layers: &[Held]) -> Option<Self> {
        match &layers.first()?.weights {
            Self::Floats(_) => Some(Self::Floats(side_by_side(layers, |layer| {
                match &layer.weights {
                    Self::Floats(weights) => weights,
                    Self::Integers { .. } => &[],
                }
            }))),
            Self::Integers { weight_type, .. } => {
                let bytes = side_by_side(layers, |layer| match &layer.weights {
                    Self::Integers { bytes, .. } => bytes,
                    Self::Floats(_) => &[],
                });
                let scales = per_column(layers, 1., |layer| match &layer.weights {
                    Self::Integers { scales, .. } => scales,
                    Self::Floats(_) => &[],
                });
                let zero_points = per_column(layers, 0, |layer| match &layer.weights {
                    Self::Integers { zero_points, .. } => zero_points,
                    Self::Floats(_) => &[],
                });
                Some(Self::Integers {
                    bytes: bytes.into(),
                    weight_type: *weight_type,
                    scales,
                    zero_points: zero_points.into(),
                })
            }
        }
    }
}

/// Rows of all matrices, one after the other in each row.
fn side_by_side<T: Copy>(layers: &[Held], weights: impl Fn(&Held) -> &[T]) -> Vec<T> {
    let inner = layers.first().map_or(0, |layer| layer.inner);
    (0..inner)
        .flat_map(|row| {
            let row = layers
                .iter()
                .map(|layer| &weights(layer)[row * layer.outer..(row + 1) * layer.outer]);
            row.flatten().copied().collect::<Vec<T>>()
        })
        .collect()
}

/// What belongs to the columns of all, where some layers have one for all
/// columns or none.
fn per_column<T: Copy>(layers: &[Held], none: T, values: impl Fn(&Held) -> &[T]) -> Vec<T> {
    if layers.iter().all(|layer| values(layer).is_empty()) {
        return Vec::new();
    }
    let all = layers.iter().map(|layer| match values(layer) {
        [] => vec![none; layer.outer],
        [one] => vec![*one; layer.outer],
        all => all.to_vec(),
    });
    all.collect::<Vec<_>>().concat()
}

/// `[inner, outer]` of `[outer, inner]`.
fn turned(weights: &[f32], inner: usize) -> Vec<f32> {
    let rows = weights.chunks_exact(inner.max(1));
    (0..inner)
        .flat_map(|row| rows.clone().map(move |column| column[row]))
        .collect()
}

fn activation(name: &str) -> Activation {
    match name {
        "gelu" => Activation::Gelu,
        "gelu_tanh" => Activation::GeluTanh,
        "gated_gelu" => Activation::GatedGelu,
        "gated_gelu_tanh" => Activation::GatedGeluTanh,
        _ => Activation::None,
    }
}
