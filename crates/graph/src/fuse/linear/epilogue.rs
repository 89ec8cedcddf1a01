//! What follows the product of a linear layer.

use super::{BATCH, LENGTH};
use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::GELU;
use crate::trace::{Tensor, Trace};
use multivec_kernels::sample;

/// The nodes after a product that belong to its layer, as far as they were
/// found. Absent parts have an empty name.
pub(super) struct Epilogue<'g> {
    pub(super) output: &'g str,
    pub(super) bias: &'g str,
    pub(super) residual: &'g str,
    /// See [`LINEAR`](crate::operators::LINEAR).
    pub(super) activation: &'static str,
}

impl<'g> Epilogue<'g> {
    pub(super) fn add_activation(&mut self, trace: &Trace<'g>, columns: usize) {
        let reader = trace.index().reader(self.output);
        if let Some(gelu) = reader.filter(|node| node.is_ours(GELU)) {
            if let Some(output) = gelu.output.first() {
                self.activation = match approximation(gelu) {
                    Approximation::Tanh => "gelu_tanh",
                    Approximation::None => "gelu",
                };
                self.output = output;
            }
        } else if let Some(gate) = gate(trace, self.output, columns) {
            self.activation = match gate.approximation {
                Approximation::Tanh => "gated_gelu_tanh",
                Approximation::None => "gated_gelu",
            };
            self.output = gate.output;
        }
    }

    pub(super) fn add_residual(&mut self, trace: &Trace<'g>) {
        let Some(sum) = added(trace.index(), self.output) else {
            return;
        };
        let shape = trace.shape(self.output);
        let is_same = shape.is_some() && trace.shape(sum.operand) == shape;
        if is_same && trace.is_opaque(sum.operand) {
            self.residual = sum.operand;
            self.output = sum.output;
        }
    }
}

/// A sum with another value.
pub(super) struct Added<'g> {
    /// The other value.
    pub(super) operand: &'g str,
    pub(super) output: &'g str,
}

/// The sum that is the only reader of a value.
pub(super) fn added<'g>(index: &ValueIndex<'g>, value: &str) -> Option<Added<'g>> {
    let sum = index.reader(value).filter(|node| node.is("Add"))?;
    Some(Added {
        operand: sum.other_operand(value)?,
        output: sum.output.first()?,
    })
}

/// How a GELU is approximated.
#[derive(Clone, Copy)]
enum Approximation {
    None,
    Tanh,
}

fn approximation(gelu: &NodeProto) -> Approximation {
    match gelu.string("approximate") {
        "tanh" => Approximation::Tanh,
        _ => Approximation::None,
    }
}

/// The product of one half of the columns of a value and the GELU of the other.
struct Gate<'g> {
    approximation: Approximation,
    output: &'g str,
}

/// Finds a gate. Which columns its halves are is seen from a replay.
fn gate<'g>(trace: &Trace<'g>, value: &str, columns: usize) -> Option<Gate<'g>> {
    let index = trace.index();
    let half = columns / 2;
    // One node cuts both halves, or two nodes one each. Readers of the shape
    // do not matter.
    let readers = index.readers(value).iter();
    let readers: Vec<_> = readers.map(|&at| index.node(at)).collect::<Option<_>>()?;
    let cuts = || readers.iter().filter(|node| !node.is("Shape"));
    let halves = || cuts().flat_map(|cut| &cut.output);
    if halves().count() != 2 || trace.shape(value)? != [BATCH, LENGTH, 2 * half] {
        return None;
    }
    let gelu = halves()
        .filter_map(|half| index.reader(half))
        .find(|node| node.is_ours(GELU))?;
    let activated = gelu.output.first()?;
    let product = index.reader(activated).filter(|node| node.is("Mul"))?;
    let factor = product.other_operand(activated)?;
    index.reader(factor)?;
    let left = gelu.input.first()?;
    if !halves().any(|half| half == factor) || left == factor {
        return None;
    }
    let numbers: Vec<f32> = sample::numbers()
        .take(BATCH * LENGTH * columns)
        .map(|number| number as f32)
        .collect();
    let is_half = |name: &str, start: usize| {
        let base = Tensor::from_shape(&[BATCH, LENGTH, columns], &numbers)?;
        let found = trace.replay(name, value, base)?;
        let rows = numbers.chunks_exact(columns);
        let expected = rows.flat_map(|row| row[start..start + half].iter().copied());
        let is_shape = found.shape() == [BATCH, LENGTH, half];
        (is_shape && expected.eq(found.floats()?)).then_some(())
    };
    is_half(left, 0)?;
    is_half(factor, half)?;
    Some(Gate {
        approximation: approximation(gelu),
        output: product.output.first()?,
    })
}
