//! Layers whose outputs are only joined over the tokens of each text.

use ndarray::{Array2, array};

use crate::fuse::Replacement;
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::POOLED_LINEAR;
use crate::trace::{Tensor, Trace};
use multivec_kernels::{Activation, Function, Join, TokenPooling, sample};

const MASK: &str = "attention_mask";
/// The most nodes from a layer to the result.
const REACH: usize = 16;
/// The most logarithms.
const MOST_LOGS: u32 = 2;
/// The fewest columns: of few, some other function might be the same by chance.
const FEWEST_COLUMNS: usize = 16;
/// The input of the mask.
const MASK_AT: usize = 7;

/// [`POOLED_LINEAR`] in place of layers, and of the nodes that join their
/// outputs, where nothing else reads them.
pub(in crate::fuse) fn pool(index: &ValueIndex<'_>, trace: &Trace<'_>, layers: &mut [Replacement]) {
    let mut probes = None;
    for layer in layers {
        let [node] = layer.nodes.as_slice() else {
            continue;
        };
        let candidates = candidates(trace, node);
        if candidates.is_empty() {
            continue;
        }
        let probes = probes.get_or_insert_with(|| masks().map(|mask| Probe::new(index, mask)));
        if let Some(pooled) = pooled(node, &candidates, probes) {
            layer.output = pooled.output.concat();
            layer.nodes = vec![pooled];
        }
    }
}

/// A batch, and what is known of the graph's values for it.
struct Probe<'g> {
    mask: Array2<i64>,
    trace: Trace<'g>,
}

impl<'g> Probe<'g> {
    fn new(index: &'g ValueIndex<'g>, mask: Array2<i64>) -> Self {
        Self {
            trace: Trace::run(index, &mask),
            mask,
        }
    }
}

/// Batches without padding, with padding on either side, and between tokens.
fn masks() -> [Array2<i64>; 3] {
    [
        array![[1, 1, 1]],
        array![[1, 1, 0, 0], [0, 1, 1, 1]],
        array![[0, 1, 0], [1, 0, 1]],
    ]
}

/// The values that may be outputs of a layer joined over tokens, the last first:
/// those that depend on nothing but these outputs, as far as they are read once.
fn candidates<'g>(trace: &Trace<'g>, layer: &NodeProto) -> Vec<&'g str> {
    let mut found = Vec::new();
    let index = trace.index();
    let mask = index.graph().free_inputs().any(|name| name == MASK);
    let has_residual = layer.input.get(5).is_some_and(|name| !name.is_empty());
    let Some(value) = layer.output.first().filter(|_| mask && !has_residual) else {
        return found;
    };
    let &[batch, _, columns] = trace.shape(value).unwrap_or_default() else {
        return found;
    };
    if columns < FEWEST_COLUMNS {
        return found;
    }
    let mut value = value.as_str();
    for _ in 0..REACH {
        let Some(output) = index.reader(value).and_then(|node| node.output.first()) else {
            break;
        };
        if trace.shape(output) == Some(&[batch, 1, columns][..]) {
            found.insert(0, output.as_str());
        }
        value = output;
    }
    found
}

fn pooled(layer: &NodeProto, candidates: &[&str], probes: &[Probe<'_>]) -> Option<NodeProto> {
    let activation = Activation::parse(layer.string("activation"))?;
    let least = match activation {
        Activation::Each(Function::Identity) => -4.,
        // Outputs below 0 do not occur.
        Activation::Each(Function::Relu) => 0.,
        _ => return None,
    };
    let outputs = layer.output.first()?;
    let (output, pooling) = candidates.iter().find_map(|&output| {
        let pooling = pooling(probes, [output, outputs], least)?;
        Some((output, pooling))
    })?;
    let mut node = layer.clone();
    node.op_type = Some(POOLED_LINEAR.to_owned());
    node.input.resize(MASK_AT, String::new());
    node.input.push(MASK.to_owned());
    node.output = vec![output.to_owned()];
    node.name = None;
    Some(
        node.with_string("join", pooling.join.name())
            .with_int("logs", pooling.logs.into()),
    )
}

/// How `output` is computed from `base` in all batches.
fn pooling(probes: &[Probe<'_>], names: [&str; 2], least: f32) -> Option<TokenPooling> {
    let poolings = Join::ALL
        .into_iter()
        .flat_map(|join| (0..=MOST_LOGS).map(move |logs| TokenPooling { join, logs }));
    let mut left: Vec<TokenPooling> = poolings.collect();
    for probe in probes {
        let replayed = Replayed::new(probe, names, least)?;
        left.retain(|&pooling| replayed.is(pooling));
    }
    left.first().copied()
}

/// What a graph computes from drawn outputs of a layer.
struct Replayed<'a> {
    mask: &'a Array2<i64>,
    /// `[batch, length, columns]`
    drawn: Vec<f32>,
    columns: usize,
    /// `[batch, columns]`
    found: Vec<f32>,
}

impl<'a> Replayed<'a> {
    fn new(probe: &'a Probe<'_>, [output, base]: [&str; 2], least: f32) -> Option<Self> {
        let shape = probe.trace.shape(base)?;
        let &[batch, length, columns] = shape else {
            return None;
        };
        if (batch, length) != probe.mask.dim() {
            return None;
        }
        let size = batch.checked_mul(length)?.checked_mul(columns)?;
        let numbers = sample::numbers().take(size);
        let scale = (4. - least) / sample::LIMIT as f32;
        let drawn: Vec<f32> = (numbers.enumerate())
            .map(|(at, number)| match (at % columns) % 3 {
                // Columns that are the least of all.
                0 if least < 0. => least * (number as f32 + 1.) / sample::LIMIT as f32,
                0 => 0.,
                _ => least + number as f32 * scale,
            })
            .collect();
        let tensor = Tensor::from_shape(shape, &drawn)?;
        let found = probe.trace.replay(output, base, tensor)?;
        Some(Self {
            mask: &probe.mask,
            drawn,
            columns,
            found: (found.shape() == [batch, 1, columns]).then(|| found.floats())??,
        })
    }

    fn is(&self, TokenPooling { join, logs }: TokenPooling) -> bool {
        let length = self.mask.ncols();
        let mut texts = self.found.chunks_exact(self.columns).enumerate();
        texts.all(|(text, found)| {
            let mut expected = vec![0f32; self.columns];
            for at in (0..length).filter(|&at| self.mask[[text, at]] != 0) {
                let start = (text * length + at) * self.columns;
                let values = &self.drawn[start..start + self.columns];
                for (expected, value) in expected.iter_mut().zip(values) {
                    let value = (0..logs).fold(value.max(0.), |value, _| value.ln_1p());
                    *expected = match join {
                        Join::Max => expected.max(value),
                        Join::Sum => *expected + value,
                    };
                }
            }
            let mut pairs = found.iter().zip(&expected);
            pairs.all(|(found, expected)| (found - expected).abs() <= 1e-5)
        })
    }
}
