//! Packed linear layers whose outputs are joined over the tokens of each text.

use multivec_kernels::{Activations, Join, Linear, SharedGranularity, Texts, TokenPooling};
use tract_core::internal::*;

use super::super::super::node::Node;
use super::linear::packed;
use super::{floats, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (join, logs) = (node.proto.string("join"), node.proto.int("logs", -1));
    let op = PooledLinearOp {
        layer: packed(node)?,
        pooling: TokenPooling {
            join: Join::parse(join)
                .with_context(|| format!("expected `join` of max or sum, found {join}"))?,
            logs: u32::try_from(logs)
                .with_context(|| format!("expected `logs` of 0 or more, found {logs}"))?,
        },
        granularity: node.parts.granularity.clone(),
        threads: node.parts.threads.clone(),
    };
    let inputs = [node.input(0)?, node.input(1)?];
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// Inputs are the rows and the mask.
#[derive(Clone, Debug)]
struct PooledLinearOp {
    layer: Arc<Linear>,
    pooling: TokenPooling,
    granularity: SharedGranularity,
    threads: Threads,
}

impl PartialEq for PooledLinearOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.layer, &other.layer) && self.pooling == other.pooling
    }
}

impl Eq for PooledLinearOp {}

impl Op for PooledLinearOp {
    fn name(&self) -> StaticName {
        "PooledLinear".into()
    }

    op_as_typed_op!();
}

impl EvalOp for PooledLinearOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let rows = floats(&inputs, 0)?;
        let mask = inputs[1].try_as_plain_ram()?.as_slice::<i64>()?;
        let inner = self.layer.inner();
        let (batch, length) = match *inputs[0].shape() {
            [batch, length, columns] if columns == inner && batch * length == mask.len() => {
                (batch, length)
            }
            _ => bail!(
                "expected [batch, length, {inner}] and a mask of these texts, found {inputs:?}"
            ),
        };
        let activations = Activations {
            rows,
            granularity: self.granularity.get(),
        };
        let texts = Texts {
            mask,
            length,
            pooling: self.pooling,
        };
        tensor(&[batch, 1, self.layer.outer()], |out| {
            self.layer.pool(activations, texts, out, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for PooledLinearOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape: TVec<TDim> = inputs[0].shape.to_tvec();
        ensure!(
            shape.len() == 3,
            "expected rows of three axes, found {shape:?}"
        );
        (shape[1], shape[2]) = (1.to_dim(), self.layer.outer().to_dim());
        Ok(tvec!(f32::fact(shape)))
    }

    as_op!();
}
