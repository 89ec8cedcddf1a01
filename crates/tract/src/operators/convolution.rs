//! Convolutions over one or two axes.
//!
//! tract has its own, which would make modules for browsers larger. Encoders
//! have short ones, mostly of single columns.

use tract_core::internal::*;

use super::super::node::Node;
use super::{Operator, fused};

pub(super) fn find(name: &str) -> Option<Operator> {
    match name {
        "Conv" => Some(convolution),
        _ => None,
    }
}

/// Axes after those of the batch and of the channels.
const SPACE: usize = 2;

fn convolution(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let float = f32::datum_type();
    let mut inputs = tvec!();
    for at in 0..node.inputs.len() {
        if let Some(input) = node.optional(at) {
            inputs.push(node.cast(input, float)?);
        }
    }
    let rank = node.rank(node.input(0)?)?;
    let axes = rank.saturating_sub(2);
    ensure!(
        (1..=SPACE).contains(&axes) && node.rank(node.input(1)?)? == rank,
        "expected one or two axes besides batch and channels, found {axes}"
    );
    let proto = node.proto;
    let above_zero = |name: &str| -> TractResult<[usize; SPACE]> {
        let mut sizes = [1; SPACE];
        for (at, &size) in proto.ints(name).unwrap_or_default().iter().enumerate() {
            let size = usize::try_from(size).ok().filter(|&size| size > 0);
            let place = sizes.get_mut(SPACE - axes + at);
            *place.context("more sizes than axes")? =
                size.with_context(|| format!("expected `{name}` above 0"))?;
        }
        Ok(sizes)
    };
    let padding = match proto.string("auto_pad") {
        "SAME_UPPER" => Padding::SameUpper,
        "SAME_LOWER" => Padding::SameLower,
        "VALID" => Padding::Zeros([[0; 2]; SPACE]),
        _ => Padding::Zeros(zeros(proto.ints("pads").unwrap_or_default(), axes)?),
    };
    let mut op = Convolution {
        groups: usize::try_from(proto.int("group", 1))?.max(1),
        strides: above_zero("strides")?,
        dilations: above_zero("dilations")?,
        padding,
    };
    // One axis is the second of two.
    let is_row = axes == 1;
    if is_row {
        op.strides[0] = 1;
        for input in inputs.iter_mut().take(2) {
            *input = node.wire(AxisOp::Add(2), &[*input])?;
        }
    }
    let mut result = node.wire(op, &inputs)?;
    if is_row {
        result = node.wire(AxisOp::Rm(2), &[result])?;
    }
    Ok(tvec!(result))
}

/// The attribute `pads`, which lists the starts of all axes before the ends.
fn zeros(pads: &[i64], axes: usize) -> TractResult<[[usize; 2]; SPACE]> {
    let mut zeros = [[0; 2]; SPACE];
    ensure!(
        pads.is_empty() || pads.len() == 2 * axes,
        "expected {} pads, found {}",
        2 * axes,
        pads.len()
    );
    for (at, &pad) in pads.iter().enumerate() {
        let pad = usize::try_from(pad).context("expected pads of 0 or more")?;
        zeros[SPACE - axes + at % axes][at / axes] = pad;
    }
    Ok(zeros)
}

/// What is before and after an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Padding {
    /// As many zeros before and after each axis.
    Zeros([[usize; 2]; SPACE]),
    /// So many zeros that the result is as long as the input, divided by the
    /// stride; more of them at the end.
    SameUpper,
    /// The same, with more zeros at the start.
    SameLower,
}

/// Inputs are `[batch, channels, height, width]`, weights `[out channels,
/// channels of a group, height, width]` and perhaps a bias per channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Convolution {
    groups: usize,
    strides: [usize; SPACE],
    dilations: [usize; SPACE],
    padding: Padding,
}

/// One axis of a convolution.
#[derive(Clone, Copy)]
struct Axis {
    input: usize,
    output: usize,
    taps: usize,
    stride: usize,
    dilation: usize,
    before: usize,
}

impl Axis {
    /// The position of the input that a tap reads for an output.
    fn source(self, output: usize, tap: usize) -> Option<usize> {
        let padded = output * self.stride + tap * self.dilation;
        let at = padded.checked_sub(self.before)?;
        (at < self.input).then_some(at)
    }

    /// The outputs for which a tap reads no zeros.
    fn outputs(self, tap: usize) -> std::ops::Range<usize> {
        let shift = tap * self.dilation;
        let first = self.before.saturating_sub(shift).div_ceil(self.stride);
        let end = (self.input + self.before).saturating_sub(shift);
        let end = end.div_ceil(self.stride).min(self.output);
        first.min(end)..end
    }
}

impl Convolution {
    fn output_size(&self, axis: usize, input: &TDim, taps: usize) -> TractResult<TDim> {
        let stride = self.strides[axis];
        Ok(match self.padding {
            Padding::Zeros(zeros) => {
                let [before, after] = zeros[axis];
                let reach = self.reach(axis, taps)?;
                (input.clone() + before + after - reach) / stride + 1
            }
            Padding::SameUpper | Padding::SameLower => input.clone().divceil(stride),
        })
    }

    /// Positions from the first tap to the last.
    fn reach(&self, axis: usize, taps: usize) -> TractResult<usize> {
        let gaps = taps.checked_sub(1).context("expected weights")?;
        gaps.checked_mul(self.dilations[axis])
            .and_then(|reach| reach.checked_add(1))
            .context("expected a smaller dilation")
    }

    fn axis(&self, at: usize, input: usize, taps: usize) -> TractResult<Axis> {
        let (stride, dilation) = (self.strides[at], self.dilations[at]);
        let reach = self.reach(at, taps)?;
        let output = self.output_size(at, &input.to_dim(), taps)?.to_i64()?;
        let output = usize::try_from(output).unwrap_or(0);
        let missing = (output.saturating_sub(1) * stride + reach).saturating_sub(input);
        let before = match self.padding {
            Padding::Zeros(zeros) => zeros[at][0],
            Padding::SameUpper => missing / 2,
            Padding::SameLower => missing.div_ceil(2),
        };
        Ok(Axis {
            input,
            output,
            taps,
            stride,
            dilation,
            before,
        })
    }
}

impl Op for Convolution {
    fn name(&self) -> StaticName {
        "Convolution".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Convolution {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (x, weights) = (fused::floats(&inputs, 0)?, fused::floats(&inputs, 1)?);
        let bias = match inputs.len() {
            3 => Some(fused::floats(&inputs, 2)?),
            _ => None,
        };
        let (&[batch, channels, height, width], &[outputs, per_group, rows, columns]) =
            (inputs[0].shape(), inputs[1].shape())
        else {
            bail!("expected four axes, found {inputs:?}");
        };
        ensure!(
            channels == per_group * self.groups
                && outputs % self.groups == 0
                && bias.is_none_or(|bias| bias.len() == outputs),
            "expected {} groups of {per_group} channels, found {channels}, and a bias for each of {outputs}",
            self.groups
        );
        let vertical = self.axis(0, height, rows)?;
        let horizontal = self.axis(1, width, columns)?;
        let shape = [batch, outputs, vertical.output, horizontal.output];
        let plane = vertical.output * horizontal.output;
        fused::tensor(&shape, |out| {
            for (at, out) in out.chunks_exact_mut(plane.max(1)).enumerate() {
                let (text, output) = (at / outputs, at % outputs);
                out.fill(bias.map_or(0., |bias| bias[output]));
                let first = output / (outputs / self.groups) * per_group;
                for channel in 0..per_group {
                    let from = (text * channels + first + channel) * height * width;
                    let taps = (output * per_group + channel) * rows * columns;
                    add_plane(
                        &x[from..][..height * width],
                        &weights[taps..][..rows * columns],
                        [vertical, horizontal],
                        out,
                    );
                }
            }
            Ok(())
        })
    }
}

/// Adds the convolution of one plane.
fn add_plane(x: &[f32], weights: &[f32], [vertical, horizontal]: [Axis; 2], out: &mut [f32]) {
    let rows = out.chunks_exact_mut(horizontal.output.max(1));
    for (row, out) in rows.enumerate() {
        for (tap, weights) in weights.chunks_exact(horizontal.taps).enumerate() {
            let Some(source) = vertical.source(row, tap) else {
                continue;
            };
            let x = &x[source * horizontal.input..][..horizontal.input];
            for (tap, &weight) in weights.iter().enumerate() {
                let range = horizontal.outputs(tap);
                let Some(first) = horizontal.source(range.start, tap) else {
                    continue;
                };
                let x = x[first..].iter().step_by(horizontal.stride);
                for (out, x) in out[range].iter_mut().zip(x) {
                    *out += weight * x;
                }
            }
        }
    }
}

impl TypedOp for Convolution {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let (x, weights) = (&inputs[0].shape, &inputs[1].shape);
        let mut shape = tvec![x[0].clone(), weights[0].clone()];
        for axis in 0..SPACE {
            let taps = weights[2 + axis].to_usize()?;
            shape.push(self.output_size(axis, &x[2 + axis], taps)?);
        }
        Ok(tvec!(f32::fact(shape)))
    }

    as_op!();
}
