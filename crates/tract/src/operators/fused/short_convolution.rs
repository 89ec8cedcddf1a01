//! Gated short convolutions.

use multivec_kernels::ShortConvolution;
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut inputs = tvec![node.input(0)?, node.input(1)?];
    inputs.extend(node.optional(2));
    let before = node.proto.int("before", 0);
    let op = ShortConvolutionOp {
        before: usize::try_from(before)
            .with_context(|| format!("expected `before` of 0 or more, found {before}"))?,
        threads: node.parts.threads.clone(),
    };
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// Inputs are rows, weights and perhaps a bias.
#[derive(Clone, Debug)]
struct ShortConvolutionOp {
    before: usize,
    threads: Threads,
}

impl PartialEq for ShortConvolutionOp {
    fn eq(&self, other: &Self) -> bool {
        self.before == other.before
    }
}

impl Eq for ShortConvolutionOp {}

impl Op for ShortConvolutionOp {
    fn name(&self) -> StaticName {
        "ShortConvolution".into()
    }

    op_as_typed_op!();
}

impl EvalOp for ShortConvolutionOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (rows, weights) = (floats(&inputs, 0)?, floats(&inputs, 1)?);
        let bias = match inputs.len() {
            3 => Some(floats(&inputs, 2)?),
            _ => None,
        };
        let (&[texts, length, columns], &[width, 1, _]) = (inputs[0].shape(), inputs[1].shape())
        else {
            bail!(
                "expected rows [batch, length, 3 * width] and weights [width, 1, taps], found {inputs:?}"
            );
        };
        ensure!(
            columns == 3 * width && bias.is_none_or(|bias| bias.len() == width),
            "expected three parts of {width} columns and a bias for each, found {inputs:?}"
        );
        let convolution = ShortConvolution {
            weights,
            bias,
            width,
            before: self.before,
        };
        tensor(&[texts, length, width], |out| {
            convolution.run(rows, length, out, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for ShortConvolutionOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape: TVec<TDim> = inputs[0].shape.to_tvec();
        if let Some(last) = shape.last_mut() {
            *last = inputs[1].shape[0].clone();
        }
        Ok(tvec!(f32::fact(shape)))
    }

    as_op!();
}
