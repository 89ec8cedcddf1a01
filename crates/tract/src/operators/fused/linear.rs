//! Packed linear layers.

use multivec_kernels::{Activations, Linear, SharedGranularity};
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, positive, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let op = LinearOp {
        layer: packed(node)?,
        granularity: node.parts.granularity.clone(),
        threads: node.parts.threads.clone(),
    };
    let mut inputs = tvec![node.input(0)?];
    inputs.extend(node.optional(1));
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// The layer that a node names.
pub(super) fn packed(node: &Node<'_>) -> TractResult<Arc<Linear>> {
    let at = node.proto.int("layer", -1);
    let layer = usize::try_from(at)
        .ok()
        .and_then(|at| node.parts.layers.get(at));
    let layer = layer.with_context(|| format!("expected the position of a layer, found {at}"))?;
    let columns = layer.outer();
    ensure!(
        columns == positive(node, "outer")?,
        "expected {columns} columns"
    );
    Ok(Arc::clone(layer))
}

/// Inputs are the rows and, if there is one, the residual.
#[derive(Clone, Debug)]
struct LinearOp {
    layer: Arc<Linear>,
    granularity: SharedGranularity,
    threads: Threads,
}

impl PartialEq for LinearOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layer, &other.layer)
    }
}

impl Eq for LinearOp {}

impl Op for LinearOp {
    fn name(&self) -> StaticName {
        "Linear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for LinearOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let rows = floats(&inputs, 0)?;
        let mut shape: TVec<usize> = inputs[0].shape().into();
        ensure!(
            shape.last() == Some(&self.layer.inner()),
            "expected rows of {}, found {:?}",
            self.layer.inner(),
            inputs[0]
        );
        if let Some(last) = shape.last_mut() {
            *last = self.layer.outer();
        }
        let residual = match inputs.len() {
            2 => Some(floats(&inputs, 1)?),
            _ => None,
        };
        let size: usize = shape.iter().product();
        ensure!(
            residual.is_none_or(|residual| residual.len() == size),
            "expected a residual of {shape:?}, found {inputs:?}"
        );
        let activations = Activations {
            rows,
            granularity: self.granularity.get(),
        };
        tensor(&shape, |out| {
            self.layer.run(activations, residual, out, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for LinearOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape: TVec<TDim> = inputs[0].shape.to_tvec();
        if let Some(last) = shape.last_mut() {
            *last = self.layer.outer().to_dim();
        }
        Ok(tvec!(f32::fact(shape)))
    }

    as_op!();
}
