//! L2 normalization over the last axis.

use multivec_graph::operators::L2_NORMALIZE;
use multivec_kernels::{Bound, L2Normalize};
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::Float32;

use super::threads::Threads;
use super::{Kernels, error, output, required, sizes};

pub(super) struct L2NormOperator(pub(super) Kernels);

impl Operator for L2NormOperator {
    type Kernel<'attr> = L2NormKernel;

    fn name(&self) -> &str {
        L2_NORMALIZE
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [OperatorInput::required(Float32)]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<L2NormKernel> {
        let bound: String = node.get("bound").unwrap_or_default();
        Ok(L2NormKernel {
            scale: L2Normalize {
                bound: Bound::parse(&bound).ok_or_else(|| error("a bound", bound))?,
                epsilon: node.get("epsilon").unwrap_or(0.),
            },
            threads: self.0.threads.clone(),
        })
    }
}

pub(super) struct L2NormKernel {
    scale: L2Normalize,
    threads: Threads,
}

impl Kernel for L2NormKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let input = required(context, 0)?;
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let shape = sizes(shape);
        let columns = shape.last().copied().unwrap_or(0);
        let mut output = output(context, shape)?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let threads = self.threads.within(context);
        self.scale.run(rows, columns, out, &threads);
        Ok(())
    }
}
