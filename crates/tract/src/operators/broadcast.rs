//! Broadcasts of masks and positions.

use tract_core::internal::*;

/// A broadcast to a shape that may be an expression of sizes, in the rank of the
/// input.
///
/// Of tract's own, tract knows that a mask is the same everywhere, and puts a
/// single element in its place, also where no other operand has the shape.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Broadcast {
    pub(super) shape: ShapeFact,
}

impl Op for Broadcast {
    fn name(&self) -> StaticName {
        "Broadcast".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Broadcast {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let shape = self.shape.eval_to_usize(context.symbols)?;
        Ok(tvec!(input.broadcast_to_shape(&shape)?.into_tvalue()))
    }
}

impl TypedOp for Broadcast {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].datum_type.fact(self.shape.clone())))
    }

    as_op!();
}
