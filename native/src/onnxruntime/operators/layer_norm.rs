//! Layer normalization over the last axis.

use multivec_graph::operators::LAYER_NORMALIZATION;
use multivec_kernels::LayerNorm;
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::Float32;

use super::threads::Threads;
use super::{Kernels, error, output, required, sizes};

pub(super) struct LayerNormOperator(pub(super) Kernels);

impl Operator for LayerNormOperator {
    type Kernel<'attr> = LayerNormKernel;

    fn name(&self) -> &str {
        LAYER_NORMALIZATION
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(Float32),
            OperatorInput::required(Float32),
            OperatorInput::optional(Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<LayerNormKernel> {
        Ok(LayerNormKernel {
            epsilon: node.get("epsilon").unwrap_or(1e-5),
            threads: self.0.threads.clone(),
        })
    }
}

pub(super) struct LayerNormKernel {
    epsilon: f32,
    threads: Threads,
}

impl Kernel for LayerNormKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let (input, scale, bias) = (
            required(context, 0)?,
            required(context, 1)?,
            context.input(2)?,
        );
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let shape = sizes(shape);
        let bias = match &bias {
            Some(bias) => Some(bias.try_extract_tensor::<f32>()?.1),
            None => None,
        };
        let scale = scale.try_extract_tensor::<f32>()?.1;
        let columns = shape.last().copied().unwrap_or(0);
        if scale.len() != columns || bias.is_some_and(|bias| bias.len() != columns) {
            let expected = format!("a scale and a bias of {columns}");
            return Err(error(&expected, scale.len()));
        }
        let mut output = output(context, shape)?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let normalize = LayerNorm {
            epsilon: self.epsilon,
            scale,
            bias,
        };
        let threads = self.threads.within(context);
        normalize.run(rows, out, &threads);
        Ok(())
    }
}
