//! Layer normalization over the last axis, with constant scale and bias.

use multivec_kernels::Normalize;
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, tensor};
use crate::threads::Threads;

/// Wires the kernel where it applies.
pub(in super::super) fn layer_normalization(node: &mut Node<'_>) -> TractResult<Option<OutletId>> {
    let input = node.input(0)?;
    let axis = node.axis(node.proto.int("axis", -1), input)?;
    let is_row = |outlet: OutletId| -> TractResult<bool> {
        let fact = node.fact(outlet)?;
        Ok(fact.rank() == 1 && fact.datum_type == f32::datum_type())
    };
    let is_last = axis + 1 == node.rank(input)? && node.dtype(input)? == f32::datum_type();
    let mut inputs = tvec![input, node.input(1)?];
    inputs.extend(node.optional(2));
    if !is_last || node.proto.output.len() > 1 {
        return Ok(None);
    }
    for &row in &inputs[1..] {
        if !is_row(row)? {
            return Ok(None);
        }
    }
    let op = NormalizeOp {
        epsilon: node.proto.float("epsilon", 1e-5),
        threads: node.parts.threads.clone(),
    };
    node.wire(op, &inputs).map(Some)
}

#[derive(Clone, Debug)]
struct NormalizeOp {
    epsilon: f32,
    threads: Threads,
}

impl PartialEq for NormalizeOp {
    fn eq(&self, other: &Self) -> bool {
        self.epsilon == other.epsilon
    }
}

// The number comes from a graph; it is not compared with itself as NaN.
impl Eq for NormalizeOp {}

impl Op for NormalizeOp {
    fn name(&self) -> StaticName {
        "LayerNormalization".into()
    }

    op_as_typed_op!();
}

impl EvalOp for NormalizeOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (rows, scale) = (floats(&inputs, 0)?, floats(&inputs, 1)?);
        let bias = match inputs.len() {
            3 => Some(floats(&inputs, 2)?),
            _ => None,
        };
        ensure!(
            inputs[0].shape().last() == Some(&scale.len())
                && bias.is_none_or(|bias| bias.len() == scale.len()),
            "expected a scale and a bias for each column, found {inputs:?}"
        );
        let normalize = Normalize {
            epsilon: self.epsilon,
            scale,
            bias,
        };
        tensor(inputs[0].shape(), |out| {
            normalize.run(rows, out, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for NormalizeOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }

    as_op!();
}
