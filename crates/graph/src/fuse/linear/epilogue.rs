//! What follows the product of a linear layer.

use crate::index::ValueIndex;
use crate::onnx::NodeProto;
use crate::operators::ACTIVATION;
use crate::trace::{Tensor, Trace};
use multivec_kernels::{Activation, Function, sample};

/// The nodes after a product that belong to its layer, as far as they were
/// found. Absent parts have an empty name.
pub(super) struct Epilogue<'g> {
    pub(super) output: &'g str,
    pub(super) bias: &'g str,
    pub(super) residual: &'g str,
    /// See [`LINEAR`](crate::operators::LINEAR).
    pub(super) activation: Activation,
    /// Of a gated layer, the half that is activated.
    pub(super) activated: Half,
}

impl<'g> Epilogue<'g> {
    pub(super) fn add_activation(&mut self, trace: &Trace<'g>, columns: usize) {
        let reader = trace.index().reader(self.output);
        if let Some(node) = reader.filter(|node| node.is_ours(ACTIVATION)) {
            if let (Some(function), Some(output)) = (function(node), node.output.first()) {
                self.activation = Activation::Each(function);
                self.output = output;
            }
        } else if let Some(gate) = gate(trace, self.output, columns) {
            self.activation = Activation::Gated(gate.function);
            self.activated = gate.activated;
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

fn function(activation: &NodeProto) -> Option<Function> {
    Function::parse(activation.string("function"))
}

/// Half of the columns of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    First,
    Second,
}

impl Half {
    fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

/// The product of one half of the columns of a value and a function of the other.
struct Gate<'g> {
    function: Function,
    /// The half that the function is applied to.
    activated: Half,
    output: &'g str,
}

/// Finds a gate. Which columns its halves are is seen from a replay.
fn gate<'g>(trace: &Trace<'g>, value: &str, columns: usize) -> Option<Gate<'g>> {
    let index = trace.index();
    // One node cuts both halves, or two nodes one each. Readers of the shape
    // do not matter.
    let readers = index.readers(value).iter();
    let readers: Vec<_> = readers.map(|&at| index.node(at)).collect::<Option<_>>()?;
    let cuts = || readers.iter().filter(|node| !node.is("Shape"));
    let halves = || cuts().flat_map(|cut| &cut.output);
    if halves().count() != 2 {
        return None;
    }
    let activation = halves()
        .filter_map(|half| index.reader(half))
        .find(|node| node.is_ours(ACTIVATION))?;
    let activated = activation.output.first()?;
    let product = index.reader(activated).filter(|node| node.is("Mul"))?;
    let factor = product.other_operand(activated)?;
    index.reader(factor)?;
    let input = activation.input.first()?;
    if !halves().any(|half| half == factor) || input == factor {
        return None;
    }
    let is_half = |name, half| is_half(trace, [name, value], columns, half);
    let activated = [Half::First, Half::Second]
        .into_iter()
        .find(|&half| is_half(input, half) && is_half(factor, half.other()))?;
    Some(Gate {
        function: function(activation)?,
        activated,
        output: product.output.first()?,
    })
}

/// Whether a value is half of the columns of another one.
fn is_half(trace: &Trace<'_>, [name, whole]: [&str; 2], columns: usize, half: Half) -> bool {
    let replayed = || {
        let shape = trace.shape(whole)?;
        let (last, counts) = shape.split_last()?;
        let is_even = *last == columns && columns.is_multiple_of(2);
        is_even.then_some(())?;
        let numbers: Vec<f32> = sample::numbers()
            .take(counts.iter().product::<usize>().checked_mul(columns)?)
            .map(|number| number as f32)
            .collect();
        let base = Tensor::from_shape(shape, &numbers)?;
        let found = trace.replay(name, whole, base)?;
        let start = match half {
            Half::First => 0,
            Half::Second => columns / 2,
        };
        let rows = numbers.chunks_exact(columns);
        let expected = rows.flat_map(|row| row[start..start + columns / 2].iter().copied());
        let is_shape = found.shape() == [counts, &[columns / 2]].concat();
        Some(is_shape && expected.eq(found.floats()?))
    };
    replayed().unwrap_or(false)
}
