//! Gated short convolutions.

use super::{BATCH, LENGTH, Replacement};
use crate::index::ValueIndex;
use crate::node::node;
use crate::onnx::{FLOAT, NodeProto, TensorProto};
use crate::operators::{DOMAIN, SHORT_CONVOLUTION};
use crate::trace::{Tensor, Trace};
use multivec_kernels::{Serial, ShortConvolution, sample};

/// The most nodes between the rows and the convolution, and from there to the
/// result.
const REACH: usize = 10;
/// The most taps of a convolution that is compared; published ones have three.
const MOST_TAPS: usize = 16;
/// Operators that move elements on the way.
const MOVES: [&str; 7] = [
    "Gather",
    "Identity",
    "Pad",
    "Slice",
    "Split",
    "Squeeze",
    "Transpose",
];

/// A graph on two shapes, so that no size is taken for a constant.
pub(super) struct Shapes<'g> {
    trace: Trace<'g>,
    other: Trace<'g>,
}

/// The shape of the other trace.
const OTHER_BATCH: usize = 1;
const OTHER_LENGTH: usize = LENGTH + 4;

impl<'g> Shapes<'g> {
    /// `None` for graphs without convolutions.
    pub(super) fn of(index: &'g ValueIndex<'g>) -> Option<Self> {
        let has_any = index.graph().nodes().iter().any(|node| node.is("Conv"));
        has_any.then(|| Self {
            trace: Trace::unpadded(index, BATCH, LENGTH),
            other: Trace::unpadded(index, OTHER_BATCH, OTHER_LENGTH),
        })
    }

    /// [`SHORT_CONVOLUTION`] in place of a convolution of columns and what is
    /// around it: the products and all movements of rows and columns.
    pub(super) fn find(&self, conv: &NodeProto) -> Option<Replacement> {
        let candidate = Candidate::of(&self.trace, conv)?;
        let mut possible = (0..candidate.taps).filter(|&before| {
            candidate
                .is_equal(&self.trace, before, [BATCH, LENGTH])
                .is_some()
        });
        let before = possible.next()?;
        candidate.is_equal(&self.other, before, [OTHER_BATCH, OTHER_LENGTH])?;
        let mut inputs = vec![candidate.rows, candidate.weights];
        inputs.extend(candidate.bias);
        let fused = node(SHORT_CONVOLUTION, DOMAIN, &inputs, &[candidate.output])
            .with_int("before", i64::try_from(before).ok()?);
        Some(Replacement {
            output: candidate.output.to_owned(),
            nodes: vec![fused],
        })
    }
}

/// The values around a convolution.
struct Candidate<'g> {
    /// `[batch, length, 3 * width]`
    rows: &'g str,
    /// `[width, 1, taps]`
    weights: &'g str,
    bias: Option<&'g str>,
    /// `[batch, length, width]`
    output: &'g str,
    width: usize,
    taps: usize,
}

impl<'g> Candidate<'g> {
    fn of(trace: &Trace<'g>, conv: &'g NodeProto) -> Option<Self> {
        let index = trace.index();
        let [x, weights, bias @ ..] = conv.is("Conv").then_some(conv.input.as_slice())? else {
            return None;
        };
        let tensor = index.constant(weights)?;
        let &[width, 1, taps] = tensor.dims.as_slice() else {
            return None;
        };
        (tensor.data_type == Some(FLOAT)).then_some(())?;
        let width = usize::try_from(width).ok().filter(|&width| width > 0)?;
        let taps = usize::try_from(taps).ok()?;
        (taps > 0 && taps <= MOST_TAPS).then_some(())?;
        let mut candidate = Self {
            rows: "",
            weights,
            bias: bias
                .first()
                .map(String::as_str)
                .filter(|bias| !bias.is_empty()),
            output: conv.output.first()?,
            width,
            taps,
        };
        if let Some(bias) = candidate.bias {
            is_row(index.constant(bias)?, width).then_some(())?;
        }
        candidate.rows = candidate.rows_before(trace, x)?;
        candidate.follow(trace)?;
        Some(candidate)
    }

    /// The rows that a value is made of.
    fn rows_before(&self, trace: &Trace<'g>, mut value: &'g str) -> Option<&'g str> {
        for _ in 0..REACH {
            let shape = trace.shape(value)?;
            if *shape == [BATCH, LENGTH, 3 * self.width] {
                return Some(value);
            }
            let node = trace.index().producer(value)?;
            (node.is("Mul") || MOVES.iter().any(|name| node.is(name))).then_some(())?;
            value = node.input.first()?;
        }
        None
    }

    /// Follows the convolution to the product with the gate and to rows.
    fn follow(&mut self, trace: &Trace<'g>) -> Option<()> {
        let index = trace.index();
        let mut is_gated = false;
        for _ in 0..REACH {
            let shape = trace.shape(self.output)?;
            if is_gated && *shape == [BATCH, LENGTH, self.width] {
                return Some(());
            }
            let reader = index.data_reader(self.output)?;
            if reader.is("Add") {
                let bias = reader.other_operand(self.output)?;
                let is_bias = is_row(index.constant(bias)?, self.width);
                (is_bias && self.bias.replace(bias).is_none()).then_some(())?;
            } else if reader.is("Mul") {
                (!std::mem::replace(&mut is_gated, true)).then_some(())?;
            } else {
                MOVES.iter().any(|name| reader.is(name)).then_some(())?;
                (reader.input.first()? == self.output).then_some(())?;
            }
            self.output = reader.output.first()?;
        }
        None
    }

    /// Compares the values with the operator, on numbers in place of the rows,
    /// the weights and the bias.
    fn is_equal(
        &self,
        trace: &Trace<'g>,
        before: usize,
        [batch, length]: [usize; 2],
    ) -> Option<()> {
        let (width, taps) = (self.width, self.taps);
        let mut numbers = sample::numbers();
        let mut draw = |count: usize| -> Vec<f32> {
            let numbers = numbers.by_ref().take(count);
            numbers
                .map(|number| number as f32 / sample::LIMIT as f32 - 0.4)
                .collect()
        };
        let rows = draw(batch * length * 3 * width);
        let (weights, bias) = (draw(width * taps), draw(width));
        let mut expected = vec![0.; batch * length * width];
        let operator = ShortConvolution {
            weights: &weights,
            bias: self.bias.map(|_| bias.as_slice()),
            width,
            before,
        };
        operator.run(&rows, length, &mut expected, &Serial);
        let mut bases = vec![
            (
                self.rows,
                Tensor::from_shape(&[batch, length, 3 * width], &rows)?,
            ),
            (
                self.weights,
                Tensor::from_shape(&[width, 1, taps], &weights)?,
            ),
        ];
        if let Some(name) = self.bias {
            let shape = trace.shape(name)?.to_vec();
            bases.push((name, Tensor::from_shape(&shape, &bias)?));
        }
        let found = trace.replay_all(self.output, bases)?;
        let is_shape = found.shape() == [batch, length, width];
        let found = found.floats()?;
        let mut pairs = found.iter().zip(&expected);
        let is_near = pairs.all(|(found, expected)| (found - expected).abs() <= 1e-5);
        (is_shape && is_near).then_some(())
    }
}

/// Whether a constant has one value for each column.
fn is_row(tensor: &TensorProto, columns: usize) -> bool {
    let is_float = tensor.data_type == Some(FLOAT);
    let count = tensor
        .dims
        .iter()
        .try_fold(1i64, |count, dim| count.checked_mul(*dim));
    is_float && count.and_then(|count| usize::try_from(count).ok()) == Some(columns)
}

#[cfg(test)]
mod tests;
