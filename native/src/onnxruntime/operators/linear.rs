//! Linear layers.

use std::sync::Arc;

use multivec_graph::operators::PACKED_LINEAR;
use multivec_kernels::{Activations, Linear};
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::Float32;

use super::{Kernels, error, output, required, sizes};

pub(super) struct LinearOperator(pub(super) Kernels);

impl Operator for LinearOperator {
    type Kernel<'attr> = LinearKernel;

    fn name(&self) -> &str {
        PACKED_LINEAR
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(Float32),
            OperatorInput::optional(Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<LinearKernel> {
        let at: Option<i64> = node.get("layer");
        let layer = at
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| self.0.layers.get(at));
        Ok(LinearKernel {
            layer: Arc::clone(layer.ok_or_else(|| error("a layer", at))?),
            kernels: self.0.clone(),
        })
    }
}

pub(super) struct LinearKernel {
    layer: Arc<Linear>,
    kernels: Kernels,
}

impl Kernel for LinearKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let input = required(context, 0)?;
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let mut shape = sizes(shape);
        match shape.last_mut() {
            Some(last) if *last == self.layer.inner() => *last = self.layer.outer(),
            _ => {
                let expected = format!("rows of {}", self.layer.inner());
                return Err(error(&expected, shape));
            }
        }
        let residual = context.input(1)?;
        let residual = match &residual {
            Some(residual) => Some(residual.try_extract_tensor::<f32>()?.1),
            None => None,
        };
        let count: usize = shape.iter().product();
        if let Some(residual) = residual.filter(|residual| residual.len() != count) {
            let expected = format!("a residual of {shape:?}");
            return Err(error(&expected, format!("{} values", residual.len())));
        }
        let mut output = output(context, shape)?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let activations = Activations {
            rows,
            granularity: self.kernels.granularity().get(),
        };
        let threads = self.kernels.threads.within(context);
        self.layer.run(activations, residual, out, &threads);
        Ok(())
    }
}
