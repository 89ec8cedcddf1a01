//! Linear layers whose outputs are joined over the tokens of each text.

use std::sync::Arc;

use multivec_graph::operators::PACKED_POOLED_LINEAR;
use multivec_kernels::{Activations, Join, Linear, Texts, TokenPooling};
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::{Float32, Int64};

use super::{Kernels, error, output, required, sizes};

pub(super) struct PooledLinearOperator(pub(super) Kernels);

impl Operator for PooledLinearOperator {
    type Kernel<'attr> = PooledLinearKernel;

    fn name(&self) -> &str {
        PACKED_POOLED_LINEAR
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(Float32),
            OperatorInput::required(Int64),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<PooledLinearKernel> {
        let at: Option<i64> = node.get("layer");
        let layer = at
            .and_then(|at| usize::try_from(at).ok())
            .and_then(|at| self.0.layers.get(at));
        let (join, logs): (Option<String>, Option<i64>) = (node.get("join"), node.get("logs"));
        let missing = || error("`join` of max or sum", &join);
        let number = logs.and_then(|logs| u32::try_from(logs).ok());
        Ok(PooledLinearKernel {
            layer: Arc::clone(layer.ok_or_else(|| error("a layer", at))?),
            pooling: TokenPooling {
                join: join.as_deref().and_then(Join::parse).ok_or_else(missing)?,
                logs: number.ok_or_else(|| error("`logs` of 0 or more", logs))?,
            },
            kernels: self.0.clone(),
        })
    }
}

pub(super) struct PooledLinearKernel {
    layer: Arc<Linear>,
    pooling: TokenPooling,
    kernels: Kernels,
}

impl Kernel for PooledLinearKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let (input, mask) = (required(context, 0)?, required(context, 1)?);
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let (_, mask) = mask.try_extract_tensor::<i64>()?;
        let shape = sizes(shape);
        let inner = self.layer.inner();
        let (batch, length) = match shape[..] {
            [batch, length, columns] if columns == inner && batch * length == mask.len() => {
                (batch, length)
            }
            _ => {
                let expected = format!("[batch, length, {inner}] and a mask of these texts");
                return Err(error(&expected, (shape, mask.len())));
            }
        };
        let mut output = output(context, vec![batch, 1, self.layer.outer()])?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let activations = Activations {
            rows,
            granularity: self.kernels.granularity().get(),
        };
        let texts = Texts {
            mask,
            length,
            pooling: self.pooling,
        };
        let threads = self.kernels.threads.within(context);
        self.layer.pool(activations, texts, out, &threads);
        Ok(())
    }
}
