//! RMS normalization over the last axis.

use multivec_graph::operators::RMS_NORMALIZE;
use multivec_kernels::RmsNorm;
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::Float32;

use super::threads::Threads;
use super::{Kernels, error, output, required, sizes};

pub(super) struct RmsNormOperator(pub(super) Kernels);

impl Operator for RmsNormOperator {
    type Kernel<'attr> = RmsNormKernel;

    fn name(&self) -> &str {
        RMS_NORMALIZE
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(Float32),
            OperatorInput::required(Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<RmsNormKernel> {
        Ok(RmsNormKernel {
            epsilon: node.get("epsilon").unwrap_or(0.),
            threads: self.0.threads.clone(),
        })
    }
}

pub(super) struct RmsNormKernel {
    epsilon: f32,
    threads: Threads,
}

impl Kernel for RmsNormKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let (input, scale) = (required(context, 0)?, required(context, 1)?);
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let shape = sizes(shape);
        let scale = scale.try_extract_tensor::<f32>()?.1;
        let columns = shape.last().copied().unwrap_or(0);
        if scale.len() != columns {
            let expected = format!("a scale of {columns}");
            return Err(error(&expected, scale.len()));
        }
        let mut output = output(context, shape)?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let normalize = RmsNorm {
            epsilon: self.epsilon,
            scale,
        };
        let threads = self.threads.within(context);
        normalize.run(rows, out, &threads);
        Ok(())
    }
}
