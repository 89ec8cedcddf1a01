//! Lookups in packed embedding tables.

use multivec_kernels::Embedding;
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{positive, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let at = node.proto.int("table", -1);
    let table = usize::try_from(at)
        .ok()
        .and_then(|at| node.parts.tables.get(at));
    let table = table.with_context(|| format!("expected the position of a table, found {at}"))?;
    let op = EmbeddingOp {
        table: Arc::clone(table),
        threads: node.parts.threads.clone(),
    };
    ensure!(
        op.table.columns() == positive(node, "columns")?,
        "expected {} columns",
        op.table.columns()
    );
    let ids = node.input(0)?;
    let ids = node.cast(ids, i64::datum_type())?;
    Ok(tvec!(node.wire(op, &[ids])?))
}

#[derive(Clone, Debug)]
struct EmbeddingOp {
    table: Arc<Embedding>,
    threads: Threads,
}

impl PartialEq for EmbeddingOp {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
    }
}

impl Eq for EmbeddingOp {}

impl Op for EmbeddingOp {
    fn name(&self) -> StaticName {
        "Embedding".into()
    }

    op_as_typed_op!();
}

impl EvalOp for EmbeddingOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let ids = args_1!(inputs);
        let mut shape: TVec<usize> = ids.shape().into();
        shape.push(self.table.columns());
        let ids = ids.try_as_plain_ram()?.as_slice::<i64>()?;
        tensor(&shape, |out| {
            match self.table.run(ids, out, &*self.threads) {
                Ok(()) => Ok(()),
                Err(id) => bail!("expected token ids below {}, found {id}", self.table.rows()),
            }
        })
    }
}

impl TypedOp for EmbeddingOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape: TVec<TDim> = inputs[0].shape.to_tvec();
        shape.push(self.table.columns().to_dim());
        Ok(tvec!(f32::fact(shape)))
    }

    as_op!();
}
