//! RMS normalization over the last axis.

use multivec_kernels::RmsNorm;
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let op = RmsNormalizeOp {
        epsilon: node.proto.float("epsilon", 0.),
        threads: node.parts.threads.clone(),
    };
    let inputs = [node.input(0)?, node.input(1)?];
    Ok(tvec!(node.wire(op, &inputs)?))
}

#[derive(Clone, Debug)]
struct RmsNormalizeOp {
    epsilon: f32,
    threads: Threads,
}

impl PartialEq for RmsNormalizeOp {
    fn eq(&self, other: &Self) -> bool {
        self.epsilon == other.epsilon
    }
}

// A NaN attribute would only make equal operators look different.
impl Eq for RmsNormalizeOp {}

impl Op for RmsNormalizeOp {
    fn name(&self) -> StaticName {
        "RmsNormalize".into()
    }

    op_as_typed_op!();
}

impl EvalOp for RmsNormalizeOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (rows, scale) = (floats(&inputs, 0)?, floats(&inputs, 1)?);
        ensure!(
            inputs[0].shape().last() == Some(&scale.len()),
            "expected a scale per column, found {inputs:?}"
        );
        let normalize = RmsNorm {
            epsilon: self.epsilon,
            scale,
        };
        tensor(inputs[0].shape(), |out| {
            normalize.run(rows, out, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for RmsNormalizeOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }

    as_op!();
}
