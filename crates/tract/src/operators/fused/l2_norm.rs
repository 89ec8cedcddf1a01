//! L2 normalization over the last axis.

use multivec_kernels::{Bound, L2Normalize};
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let bound = node.proto.string("bound");
    let normalize = L2Normalize {
        bound: Bound::parse(bound).with_context(|| format!("expected a bound, found `{bound}`"))?,
        epsilon: node.proto.float("epsilon", 0.),
    };
    let threads = node.parts.threads.clone();
    let op = L2NormalizeOp { normalize, threads };
    let input = node.input(0)?;
    Ok(tvec!(node.wire(op, &[input])?))
}

#[derive(Clone, Debug)]
struct L2NormalizeOp {
    normalize: L2Normalize,
    threads: Threads,
}

impl PartialEq for L2NormalizeOp {
    fn eq(&self, other: &Self) -> bool {
        self.normalize == other.normalize
    }
}

// A NaN attribute would only make equal operators look different.
impl Eq for L2NormalizeOp {}

impl Op for L2NormalizeOp {
    fn name(&self) -> StaticName {
        "L2Normalize".into()
    }

    op_as_typed_op!();
}

impl EvalOp for L2NormalizeOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let rows = floats(&inputs, 0)?;
        let columns = inputs[0].shape().last().copied().unwrap_or(0);
        tensor(inputs[0].shape(), |out| {
            self.normalize.run(rows, columns, out, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for L2NormalizeOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }

    as_op!();
}
