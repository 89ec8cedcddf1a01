//! Gated short convolutions.

use multivec_graph::operators::SHORT_CONVOLUTION;
use multivec_kernels::ShortConvolution;
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::Float32;

use super::threads::Threads;
use super::{Kernels, error, output, required, sizes};

pub(super) struct ShortConvolutionOperator(pub(super) Kernels);

impl Operator for ShortConvolutionOperator {
    type Kernel<'attr> = ShortConvolutionKernel;

    fn name(&self) -> &str {
        SHORT_CONVOLUTION
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

    fn create_kernel<'attr>(
        &self,
        node: &KernelContext<'attr>,
    ) -> ort::Result<ShortConvolutionKernel> {
        let before: i64 = node.get("before").unwrap_or(0);
        Ok(ShortConvolutionKernel {
            before: usize::try_from(before).map_err(|_| error("rows", before))?,
            threads: self.0.threads.clone(),
        })
    }
}

pub(super) struct ShortConvolutionKernel {
    before: usize,
    threads: Threads,
}

impl Kernel for ShortConvolutionKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let (input, weights, bias) = (
            required(context, 0)?,
            required(context, 1)?,
            context.input(2)?,
        );
        let (shape, rows) = input.try_extract_tensor::<f32>()?;
        let (filters, weights) = weights.try_extract_tensor::<f32>()?;
        let bias = match &bias {
            Some(bias) => Some(bias.try_extract_tensor::<f32>()?.1),
            None => None,
        };
        let (shape, filters) = (sizes(shape), sizes(filters));
        let (&[texts, length, columns], &[width, 1, _]) = (&shape[..], &filters[..]) else {
            let expected = "rows [batch, length, 3 * width] and weights [width, 1, taps]";
            return Err(error(expected, (shape, filters)));
        };
        if columns != 3 * width || bias.is_some_and(|bias| bias.len() != width) {
            return Err(error("three parts and a bias of as many columns", shape));
        }
        let mut output = output(context, vec![texts, length, width])?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let convolution = ShortConvolution {
            weights,
            bias,
            width,
            before: self.before,
        };
        let threads = self.threads.within(context);
        convolution.run(rows, length, out, &threads);
        Ok(())
    }
}
