//! The tensors of linear layers, as kernels take them.

use prost::bytes::Bytes;

use super::n_bits::{self, Blocks, ZeroPoints};
use crate::error::Result;
use crate::external::{ExternalReader, tensor_bytes};
use crate::graph::Graph;
use crate::node::elements;
use crate::onnx::{FLOAT, NodeProto, TensorProto, UINT8};
use multivec_kernels::{Activation, Layer, Linear, WeightType, Weights};

/// A layer with the elements of its tensors.
pub(super) struct LoadedLayer {
    pub(super) inner: usize,
    pub(super) outer: usize,
    pub(super) weights: LoadedWeights,
    pub(super) smoothing: Vec<f32>,
    pub(super) bias: Vec<f32>,
    pub(super) activation: Activation,
}

pub(super) enum LoadedWeights {
    Floats(Vec<f32>),
    Integers(QuantizedWeights),
}

pub(super) struct QuantizedWeights {
    pub(super) bytes: Bytes,
    pub(super) weight_type: WeightType,
    pub(super) scales: Vec<f32>,
    pub(super) zero_points: Bytes,
}

impl LoadedLayer {
    /// Reads the tensors of a `Linear` or a product with weights of a few bits. `None`
    /// if they are not of the shapes that a layer has.
    pub(super) fn read(
        graph: &Graph,
        node: &NodeProto,
        external: &ExternalReader<'_>,
    ) -> Result<Option<Self>> {
        let inputs = Inputs {
            graph,
            node,
            external,
        };
        if n_bits::is_product(node) {
            inputs.n_bit_product()
        } else {
            inputs.linear()
        }
    }

    /// Kernels activate the first half of the columns.
    fn with_halves_exchanged(mut self) -> Self {
        let columns = self.outer;
        // One for all columns stays.
        let of_columns = |values: &[f32]| match values {
            [_] => values.to_vec(),
            values => exchanged(values, columns),
        };
        match &mut self.weights {
            LoadedWeights::Floats(weights) => *weights = exchanged(weights, columns),
            LoadedWeights::Integers(weights) => {
                weights.bytes = exchanged(&weights.bytes, columns).into();
                weights.scales = of_columns(&weights.scales);
                if weights.zero_points.len() > 1 {
                    weights.zero_points = exchanged(&weights.zero_points, columns).into();
                }
            }
        }
        self.bias = of_columns(&self.bias);
        self
    }

    /// Packs the layer for the kernels of this machine. `None` if its sizes do
    /// not fit each other.
    pub(super) fn pack(&self) -> Option<Linear> {
        let weights = match &self.weights {
            LoadedWeights::Floats(weights) => Weights::Floats(weights),
            LoadedWeights::Integers(weights) => Weights::Integers {
                bytes: &weights.bytes,
                weight_type: weights.weight_type,
                scales: &weights.scales,
                zero_points: &weights.zero_points,
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
}

/// The inputs of a node that are tensors.
struct Inputs<'a> {
    graph: &'a Graph,
    node: &'a NodeProto,
    external: &'a ExternalReader<'a>,
}

impl Inputs<'_> {
    fn linear(&self) -> Result<Option<LoadedLayer>> {
        let matrix = self.node.input.get(1);
        let Some(matrix) = matrix.and_then(|name| self.graph.initializer(name)) else {
            return Ok(None);
        };
        let &[rows, columns] = matrix.dims.as_slice() else {
            return Ok(None);
        };
        let [rows, columns] = [rows, columns].map(|dim| usize::try_from(dim).unwrap_or(0));
        let is_transposed = self.node.int("transposed", 0) != 0;
        let (inner, outer) = if is_transposed {
            (columns, rows)
        } else {
            (rows, columns)
        };
        let weights = match matrix.data_type {
            Some(FLOAT) if is_transposed => {
                LoadedWeights::Floats(transposed(&self.floats(1)?, inner))
            }
            Some(FLOAT) => LoadedWeights::Floats(self.floats(1)?),
            _ if is_transposed => return Ok(None),
            other => LoadedWeights::Integers(QuantizedWeights {
                bytes: self.bytes(1)?,
                weight_type: match other {
                    Some(UINT8) => WeightType::Uint8,
                    _ => WeightType::Int8,
                },
                scales: self.floats(2)?,
                zero_points: self.bytes(3)?,
            }),
        };
        let layer = LoadedLayer {
            inner,
            outer,
            weights,
            smoothing: self.floats(6)?,
            bias: self.floats(4)?,
            activation: Activation::parse(self.node.string("activation")).unwrap_or_default(),
        };
        Ok(Some(match self.node.int("activated", 0) {
            0 => layer,
            _ => layer.with_halves_exchanged(),
        }))
    }

    fn n_bit_product(&self) -> Result<Option<LoadedLayer>> {
        let (values, scales) = (self.bytes(1)?, self.floats(2)?);
        let (packed, floats) = (self.bytes(3)?, self.floats(3)?);
        let zero_points = match self.data_type(3) {
            None => ZeroPoints::Middle,
            Some(FLOAT) => ZeroPoints::Floats(&floats),
            Some(_) => ZeroPoints::Packed(&packed),
        };
        let Some(blocks) = Blocks::of(self.node).filter(|_| self.data_type(2) == Some(FLOAT))
        else {
            return Ok(None);
        };
        let bias = self.floats(5)?;
        let weights = blocks.floats(&values, &scales, &zero_points);
        Ok(weights.map(|weights| LoadedLayer {
            inner: blocks.inner,
            outer: blocks.outer,
            weights: LoadedWeights::Floats(weights),
            smoothing: Vec::new(),
            bias,
            activation: Activation::NONE,
        }))
    }

    fn tensor(&self, at: usize) -> Option<&TensorProto> {
        let name = self.node.input.get(at).filter(|name| !name.is_empty());
        name.and_then(|name| self.graph.initializer(name))
    }

    fn data_type(&self, at: usize) -> Option<i32> {
        self.tensor(at)?.data_type
    }

    /// The bytes of an input; none if it is left out.
    fn bytes(&self, at: usize) -> Result<Bytes> {
        match self.tensor(at) {
            Some(tensor) => tensor_bytes(tensor, self.external),
            None => Ok(Bytes::new()),
        }
    }

    fn floats(&self, at: usize) -> Result<Vec<f32>> {
        Ok(elements(&self.bytes(at)?, f32::from_le_bytes))
    }
}

/// `[inner, outer]` from `[outer, inner]`.
fn transposed(weights: &[f32], inner: usize) -> Vec<f32> {
    let columns = weights.chunks_exact(inner.max(1));
    (0..inner)
        .flat_map(|row| columns.clone().map(move |column| column[row]))
        .collect()
}

/// The second half of the columns of each row in front of the first.
fn exchanged<T: Copy>(values: &[T], columns: usize) -> Vec<T> {
    let rows = values.chunks_exact(columns.max(1));
    rows.flat_map(|row| {
        let (first, second) = row.split_at(columns / 2);
        second.iter().chain(first).copied()
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exchanged() {
        let layer = |weights, bias| LoadedLayer {
            inner: 2,
            outer: 4,
            weights,
            smoothing: vec![0.5, 2.],
            bias,
            activation: Activation::NONE,
        };
        let floats = LoadedWeights::Floats(vec![1., 2., 3., 4., 5., 6., 7., 8.]);
        let exchanged = layer(floats, vec![1., 2., 3., 4.]).with_halves_exchanged();
        let LoadedWeights::Floats(weights) = &exchanged.weights else {
            panic!("they were floats");
        };
        assert_eq!(weights, &[3., 4., 1., 2., 7., 8., 5., 6.]);
        assert_eq!(exchanged.bias, [3., 4., 1., 2.]);
        assert_eq!(exchanged.smoothing, [0.5, 2.]);

        let integers = |scales: &[f32], zero_points: &'static [u8]| {
            LoadedWeights::Integers(QuantizedWeights {
                bytes: Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8]),
                weight_type: WeightType::Int8,
                scales: scales.to_vec(),
                zero_points: Bytes::from_static(zero_points),
            })
        };
        for (scales, zero_points, expected) in [
            (
                &[1., 2., 3., 4.][..],
                &[][..],
                (&[3., 4., 1., 2.][..], &[][..]),
            ),
            (&[0.5], &[9, 8, 7, 6], (&[0.5], &[7, 6, 9, 8])),
            (&[0.5], &[9], (&[0.5], &[9])),
        ] {
            let exchanged = layer(integers(scales, zero_points), vec![]).with_halves_exchanged();
            let LoadedWeights::Integers(weights) = &exchanged.weights else {
                panic!("they were integers");
            };
            assert_eq!(weights.bytes.as_ref(), [3, 4, 1, 2, 7, 8, 5, 6]);
            assert_eq!(
                (weights.scales.as_slice(), weights.zero_points.as_ref()),
                expected
            );
            assert!(exchanged.bias.is_empty());
        }
    }
}
