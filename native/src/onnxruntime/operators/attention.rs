//! Attention over all heads.

use multivec_kernels::{Attention, Batch, HeadNorms, Precision, Rotation, Rows, Sight};
use ort::operator::{
    ComputeContext, Kernel, KernelContext, Operator, OperatorInput, OperatorOutput,
};
use ort::value::TensorElementType::{Float32, Int64};
use ort::value::ValueRef;

use super::{Kernels, error, output, required, sizes};

pub(super) struct AttentionOperator(pub(super) Kernels);

impl Operator for AttentionOperator {
    type Kernel<'attr> = AttentionKernel;

    fn name(&self) -> &str {
        "Attention"
    }

    fn inputs(&self) -> impl IntoIterator<Item = OperatorInput> {
        [
            OperatorInput::required(Float32),
            OperatorInput::required(Float32),
            OperatorInput::required(Float32),
            OperatorInput::optional(Int64),
            OperatorInput::optional(Float32),
            OperatorInput::optional(Float32),
        ]
    }

    fn outputs(&self) -> impl IntoIterator<Item = OperatorOutput> {
        [OperatorOutput::required(Float32)]
    }

    fn create_kernel<'attr>(&self, node: &KernelContext<'attr>) -> ort::Result<AttentionKernel> {
        let number = |name: &str| -> Option<usize> {
            let value: i64 = node.get(name)?;
            usize::try_from(value).ok().filter(|&value| value > 0)
        };
        let positive = |name: &str| {
            let missing = || error(&format!("`{name}` above 0"), number(name));
            number(name).ok_or_else(missing)
        };
        let offsets: Vec<i64> = node.get("offsets").unwrap_or_default();
        let &[queries, keys, values] = sizes(&offsets).as_slice() else {
            return Err(error("three offsets", offsets));
        };
        let (heads, window) = (positive("heads")?, number("window"));
        Ok(AttentionKernel {
            attention: Attention {
                heads,
                key_heads: heads,
                columns: positive("columns")?,
                scale: node.get("scale").unwrap_or(1.),
                sight: Sight {
                    before: window,
                    after: window,
                },
                softcap: None,
                fill: node.get("fill").unwrap_or(f32::NEG_INFINITY),
            },
            offsets: [queries, keys, values],
            interleaved: node.get("interleaved").unwrap_or(0i64) != 0,
            is_quantized: node.get("quantized").unwrap_or(0i64) != 0,
            kernels: self.0.clone(),
        })
    }
}

pub(super) struct AttentionKernel {
    attention: Attention,
    /// The first column of queries, of keys and of values in their rows.
    offsets: [usize; 3],
    interleaved: bool,
    /// Whether queries, keys and values come from quantized layers.
    is_quantized: bool,
    kernels: Kernels,
}

impl Kernel for AttentionKernel {
    fn compute(&mut self, context: &ComputeContext) -> ort::Result<()> {
        let inputs = [
            required(context, 0)?,
            required(context, 1)?,
            required(context, 2)?,
        ];
        let shape = sizes(inputs[0].try_extract_tensor::<f32>()?.0);
        let &[texts, length, _] = shape.as_slice() else {
            return Err(error("[batch, length, width]", shape));
        };
        let [mask, cos, sin] = [context.input(3)?, context.input(4)?, context.input(5)?];
        let mask = match &mask {
            Some(mask) => Some(mask.try_extract_tensor::<i64>()?.1),
            None => None,
        };
        if let Some(mask) = mask.filter(|mask| mask.len() != texts * length) {
            let expected = format!("a mask of [{texts}, {length}]");
            return Err(error(&expected, format!("{} values", mask.len())));
        }
        let rotation = match (&cos, &sin) {
            (Some(cos), Some(sin)) => Some(Rotation {
                cos: self.table(cos, length)?,
                sin: self.table(sin, length)?,
                interleaved: self.interleaved,
            }),
            _ => None,
        };
        let rows = |at: usize| self.rows(&inputs[at], self.offsets[at], [texts, length]);
        let batch = Batch {
            length,
            queries: rows(0)?,
            keys: rows(1)?,
            values: rows(2)?,
            mask,
            norms: HeadNorms::default(),
            rotation,
            bias: None,
            precision: Precision::after(
                self.is_quantized.then(|| self.kernels.granularity().get()),
            ),
        };
        let shape = vec![texts, length, self.width()];
        let mut output = output(context, shape)?;
        let (_, out) = output.try_extract_tensor_mut::<f32>()?;
        let threads = self.kernels.threads.within(context);
        self.attention.run(&batch, out, &threads);
        Ok(())
    }
}

impl AttentionKernel {
    fn width(&self) -> usize {
        self.attention.heads * self.attention.columns
    }

    fn rows<'a>(
        &self,
        input: &'a ValueRef<'_>,
        offset: usize,
        texts: [usize; 2],
    ) -> ort::Result<Rows<'a>> {
        let (shape, data) = input.try_extract_tensor::<f32>()?;
        let shape = sizes(shape);
        let end = offset.saturating_add(self.width());
        match shape.as_slice() {
            &[batch, length, stride] if [batch, length] == texts && end <= stride => Ok(Rows {
                data,
                stride,
                offset,
            }),
            _ => {
                let width = self.width();
                let expected = format!("{width} columns from {offset} on of {texts:?} tokens");
                Err(error(&expected, shape))
            }
        }
    }

    /// A table of cosines or sines, checked to cover `length` positions.
    fn table<'a>(&self, table: &'a ValueRef<'_>, length: usize) -> ort::Result<&'a [f32]> {
        let (shape, angles) = table.try_extract_tensor::<f32>()?;
        if angles.len() < length * self.attention.columns {
            let expected = format!("angles of {length} positions");
            return Err(error(&expected, shape));
        }
        Ok(angles)
    }
}
