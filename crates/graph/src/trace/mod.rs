//! Runs a graph on one shape of input, without its weights: finds the shapes of
//! all values, and the elements of those that depend only on shapes and the
//! attention mask.
//!
//! Exporters compute shapes, masks and positions by various nodes, with the same
//! result.

mod combine;
mod composite;
mod convolution;
mod einsum;
mod elementwise;
mod gather;
mod movement;
mod normalize;
mod reduce;
mod scatter;
mod shapes;
mod tensor;
mod weights;

use std::collections::HashMap;

use ndarray::{Array2, ArrayD};

use crate::index::ValueIndex;
use crate::onnx::{INT64, NodeProto, TensorProto};
use crate::operators::{ACTIVATION, CONTRIB_DOMAIN, DOMAIN};
pub use elementwise::erf;
pub(crate) use tensor::Tensor;

/// Elements of the largest tensor of the model that is read; weights are larger.
const READ_LIMIT: usize = 1 << 14;
/// Elements of the largest tensor that is computed.
const SIZE_LIMIT: usize = 1 << 23;

/// What is known of each value when the graph runs on one batch.
pub(crate) struct Trace<'g> {
    index: &'g ValueIndex<'g>,
    values: HashMap<&'g str, Tensor>,
}

impl<'g> Trace<'g> {
    /// Runs the graph on this attention mask, `[batch, length]` of 0 and 1.
    pub(crate) fn run(index: &'g ValueIndex<'g>, mask: &Array2<i64>) -> Self {
        Self::run_with(index, mask, |tensor| Tensor::read(tensor, READ_LIMIT))
    }

    /// As [`run`](Self::run), for finding out how values are computed from
    /// weights: small ones in other files are drawn, and large tables are read.
    pub(crate) fn run_drawn(index: &'g ValueIndex<'g>, mask: &Array2<i64>) -> Self {
        Self::run_with(index, mask, weights::drawn)
    }

    fn run_with(
        index: &'g ValueIndex<'g>,
        mask: &Array2<i64>,
        read: fn(&TensorProto) -> Option<Tensor>,
    ) -> Self {
        let graph = index.graph();
        let mut values = HashMap::new();
        for tensor in graph.initializers() {
            if let (Some(name), Some(value)) = (tensor.name.as_deref(), read(tensor)) {
                values.insert(name, value);
            }
        }
        for name in graph.free_inputs() {
            let value = match name {
                "attention_mask" => Tensor::Int(mask.clone().into_dyn()),
                _ => Tensor::opaque(INT64, mask.shape()),
            };
            values.insert(name, value);
        }
        let mut trace = Self { index, values };
        for node in graph.nodes() {
            let outputs = step(node, |name| trace.values.get(name));
            for (name, value) in node.output.iter().zip(outputs.into_iter().flatten()) {
                trace.values.insert(name, value);
            }
        }
        trace
    }

    /// Runs the graph on a batch without padding.
    pub(crate) fn unpadded(index: &'g ValueIndex<'g>, batch: usize, length: usize) -> Self {
        Self::run(index, &Array2::ones((batch, length)))
    }

    /// The graph's nodes and values.
    pub(crate) fn index(&self) -> &'g ValueIndex<'g> {
        self.index
    }

    /// Of how many values something is known.
    pub(crate) fn known(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Tensor> {
        self.values.get(name)
    }

    pub(crate) fn shape(&self, name: &str) -> Option<&[usize]> {
        self.get(name).map(Tensor::shape)
    }

    /// Tells two operands apart, if one of them depends on the texts.
    pub(crate) fn operands<'a>(&self, inputs: &'a [String]) -> Option<Operands<'a>> {
        let [left, right] = inputs else { return None };
        let (opaque, known) = match (self.is_opaque(left), self.is_opaque(right)) {
            (true, false) => (left, right),
            (false, true) => (right, left),
            _ => return None,
        };
        Some(Operands { opaque, known })
    }

    /// Whether a value depends on the texts.
    pub(crate) fn is_opaque(&self, name: &str) -> bool {
        self.get(name).is_some_and(Tensor::is_opaque)
    }

    /// Computes `target` as if the value `base` were another tensor. `None` if a
    /// trace does not know the operators in between, or `target` does not depend
    /// on `base`.
    pub(crate) fn replay(&self, target: &str, base: &str, value: Tensor) -> Option<Tensor> {
        self.replay_all(target, [(base, value)])
    }

    /// Computes `target` as if several values were others, weights of the model
    /// among them.
    pub(crate) fn replay_all<'a>(
        &self,
        target: &str,
        bases: impl IntoIterator<Item = (&'a str, Tensor)>,
    ) -> Option<Tensor> {
        let bases = bases.into_iter();
        let mut found = bases
            .map(|(name, value)| (name.to_owned(), Some(value)))
            .collect();
        self.recompute(target, &mut found, 64)
    }

    /// `found` holds what has been computed: `None` for values that do not
    /// depend on the base.
    fn recompute(
        &self,
        target: &str,
        found: &mut HashMap<String, Option<Tensor>>,
        depth: usize,
    ) -> Option<Tensor> {
        if let Some(known) = found.get(target) {
            return known.clone();
        }
        let node = self.index.producer(target).filter(|_| depth > 0);
        let mut depends = false;
        if let Some(node) = node {
            for input in node.input.iter().filter(|input| !input.is_empty()) {
                depends |= self.recompute(input, found, depth - 1).is_some();
            }
        }
        let value = match (node, depends) {
            (Some(node), true) => {
                let outputs = step(node, |name| match found.get(name) {
                    Some(Some(value)) => Some(value),
                    _ => self.values.get(name),
                });
                let at = node.output.iter().position(|name| name == target)?;
                outputs?
                    .into_iter()
                    .nth(at)
                    .filter(|value| !value.is_opaque())
            }
            _ => None,
        };
        found.insert(target.to_owned(), value.clone());
        value
    }
}

/// The operands of a node, one of which depends on the texts.
pub(crate) struct Operands<'a> {
    /// The one that depends on the texts.
    pub(crate) opaque: &'a str,
    pub(crate) known: &'a str,
}

/// Computes the outputs of one node from its inputs.
fn step<'v>(node: &NodeProto, value: impl Fn(&str) -> Option<&'v Tensor>) -> Option<Vec<Tensor>> {
    let is_ours = node.domain.as_deref() == Some(DOMAIN);
    let is_contrib = node.domain.as_deref() == Some(CONTRIB_DOMAIN);
    let is_standard = matches!(node.domain.as_deref(), None | Some("" | "ai.onnx"));
    (is_ours || is_contrib || is_standard).then_some(())?;
    let inputs = node
        .input
        .iter()
        .map(|name| match name.as_str() {
            "" => Some(None),
            name => value(name).map(Some),
        })
        .collect::<Option<Vec<_>>>()?;
    let call = Call {
        node,
        inputs: &inputs,
    };
    let name = node.op_type.as_deref()?;
    if is_ours {
        // Of our functions, the only one whose values matter behind a layer.
        if name == ACTIVATION && node.string("function") == "relu" {
            return elementwise::run("Relu", &call);
        }
        return shapes::run_fused(name, &call);
    }
    if is_contrib {
        return composite::contrib(name, &call).or_else(|| shapes::run_contrib(name, &call));
    }
    let outputs = movement::run(name, &call)
        .or_else(|| combine::run(name, &call))
        .or_else(|| reduce::run(name, &call))
        .or_else(|| einsum::run(name, &call))
        .or_else(|| scatter::run(name, &call))
        .or_else(|| gather::run(name, &call))
        .or_else(|| convolution::run(name, &call))
        .or_else(|| elementwise::run(name, &call))
        .or_else(|| normalize::run(name, &call))
        .or_else(|| shapes::run(name, &call))
        .or_else(|| composite::standard(name, &call))?;
    outputs
        .iter()
        .all(|output| output.is_opaque() || is_small(output.shape()))
        .then_some(outputs)
}

/// One call of an operator.
struct Call<'a> {
    node: &'a NodeProto,
    /// `None` for optional inputs that are left out.
    inputs: &'a [Option<&'a Tensor>],
}

impl Call<'_> {
    fn input(&self, at: usize) -> Option<&Tensor> {
        *self.inputs.get(at)?
    }

    /// Integers that are an attribute of old operators, and an input of new ones.
    fn ints(&self, name: &str, at: usize) -> Option<Vec<i64>> {
        match self.node.ints(name) {
            Some(values) => Some(values.to_vec()),
            None => self.input(at)?.ints(),
        }
    }

    /// Whether there is an attribute of that name, or that input.
    fn has(&self, name: &str, at: usize) -> bool {
        self.node.attribute(name).is_some() || self.input(at).is_some()
    }

    /// The attribute `axis`, of a tensor of that rank.
    fn axis(&self, default: i64, rank: usize) -> Option<usize> {
        resolve_index(self.node.int("axis", default), rank)
    }
}

/// The number of elements of a shape; `None` if it overflows.
fn count(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |count, &dim| count.checked_mul(dim))
}

/// Whether a tensor of that shape is small enough to be computed.
fn is_small(shape: &[usize]) -> bool {
    count(shape).is_some_and(|count| count <= SIZE_LIMIT)
}

/// Resolves an index below `count`; negative ones count from the end.
fn resolve_index(index: i64, count: usize) -> Option<usize> {
    let resolved = if index < 0 {
        index + count as i64
    } else {
        index
    };
    usize::try_from(resolved)
        .ok()
        .filter(|&index| index < count)
}

/// The shape that both shapes broadcast to.
pub(crate) fn broadcast_shape(left: &[usize], right: &[usize]) -> Option<Vec<usize>> {
    let rank = left.len().max(right.len());
    let dim = |shape: &[usize], at: usize| {
        (at + shape.len())
            .checked_sub(rank)
            .map_or(1, |at| shape[at])
    };
    (0..rank)
        .map(|at| match (dim(left, at), dim(right, at)) {
            (left, right) if left == right => Some(left),
            (1, other) | (other, 1) => Some(other),
            _ => None,
        })
        .collect()
}

fn broadcast<T: Clone>(array: &ArrayD<T>, shape: &[usize]) -> Option<ArrayD<T>> {
    Some(array.broadcast(shape)?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::fixture;

    #[test]
    fn every_value_of_an_encoder_has_a_shape() {
        for file in [
            "tests/fixtures/tiny-bert/model.onnx",
            "tests/fixtures/tiny-bert/model_int8.onnx",
            "tests/fixtures/tiny-modernbert/model.onnx",
            "tests/fixtures/tiny-modernbert/model_int8.onnx",
            "models/minilm-colbert/model_int8.onnx",
        ] {
            let graph = fixture(file);
            let index = ValueIndex::new(&graph);
            let trace = Trace::unpadded(&index, 2, 7);
            for node in graph.nodes() {
                for output in &node.output {
                    assert!(
                        trace.get(output).is_some(),
                        "{file}: {output}: {}",
                        node.operator()
                    );
                }
            }
            let output = graph.outputs().next().expect("an output");
            let dim = trace.shape(output).and_then(|shape| shape.last().copied());
            assert_eq!(
                trace.shape(output).map(|shape| shape[..2].to_vec()),
                Some(vec![2, 7])
            );
            assert!(dim.is_some_and(|dim| dim == 32 || dim == 128), "{dim:?}");
        }
    }
}
