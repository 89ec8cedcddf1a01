//! Lookups in tables that were taken out of the graph.

use std::sync::Arc;

use multivec_graph::operators::PACKED_EMBEDDING;
use multivec_kernels::Embedding;
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::{Float32, Int64};

use super::threads::Threads;
use super::{Kernels, error, output, required, sizes};

pub(super) struct EmbeddingOperator(pub(super) Kernels);

impl Operator for EmbeddingOperator {
    type Kernel<'attr> = EmbeddingKernel;

    fn name(&self) -> &str {
        PACKED_EMBEDDING
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(Int64)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<EmbeddingKernel> {
        let at: Option<i64> = node.get("table");
        let table = at
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| self.0.tables.get(at));
        Ok(EmbeddingKernel {
            table: Arc::clone(table.ok_or_else(|| error("a table", at))?),
            threads: self.0.threads.clone(),
        })
    }
}

pub(super) struct EmbeddingKernel {
    table: Arc<Embedding>,
    threads: Threads,
}

impl Kernel for EmbeddingKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let input = required(context, 0)?;
        let (shape, ids) = input.try_extract_tensor::<i64>()?;
        let mut shape = sizes(shape);
        shape.push(self.table.columns());
        let mut output = output(context, shape)?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let threads = self.threads.within(context);
        let rows = self.table.rows();
        let found = self.table.run(ids, out, &threads);
        found.map_err(|id| error(&format!("token ids below {rows}"), id))
    }
}
