//! Attention over all heads.

use multivec_kernels::{
    Attention, Batch, Bias, BiasForm, HeadNorm, HeadNorms, Precision, Rotation, Rows, Sight,
};
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
            OperatorInput::optional(Float32),
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
        let [heads, key_heads] = [positive("heads")?, positive("key_heads")?];
        if !heads.is_multiple_of(key_heads) {
            let expected = format!("a divisor of {heads} as the number of heads of keys");
            return Err(error(&expected, key_heads));
        }
        let columns = positive("columns")?;
        let rotated = number("rotated").unwrap_or(columns);
        if rotated > columns || !rotated.is_multiple_of(2) {
            let expected = format!("an even number of rotated columns of {columns}");
            return Err(error(&expected, rotated));
        }
        let positions = |name: &str| usize::try_from(node.get(name).unwrap_or(-1i64)).ok();
        let flag = |name: &str| node.get(name).unwrap_or(0i64) != 0;
        Ok(AttentionKernel {
            attention: Attention {
                heads,
                key_heads,
                columns,
                scale: node.get("scale").unwrap_or(1.),
                sight: Sight {
                    before: positions("before"),
                    after: positions("after"),
                },
                softcap: node.get("softcap").filter(|&cap: &f32| cap > 0.),
                fill: node.get("fill").unwrap_or(f32::NEG_INFINITY),
            },
            offsets: [queries, keys, values],
            rotated,
            interleaved: flag("interleaved"),
            epsilons: ["query_epsilon", "key_epsilon"].map(|name| node.get(name).unwrap_or(0.)),
            bias: if flag("relative") {
                BiasForm::Relative
            } else {
                BiasForm::Full
            },
            is_quantized: flag("quantized"),
            kernels: self.0.clone(),
        })
    }
}

pub(super) struct AttentionKernel {
    attention: Attention,
    /// The first column of queries, of keys and of values in their rows.
    offsets: [usize; 3],
    /// Columns of each head that are rotated.
    rotated: usize,
    interleaved: bool,
    /// Of the norms of queries and of keys.
    epsilons: [f32; 2],
    bias: BiasForm,
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
                columns: self.rotated,
                interleaved: self.interleaved,
            }),
            _ => None,
        };
        let rows = |at: usize| self.rows(&inputs[at], at, [texts, length]);
        let scales = [context.input(6)?, context.input(7)?];
        let [queries, keys] = [0, 1].map(|at| self.norm(scales[at].as_ref(), self.epsilons[at]));
        let bias = context.input(8)?;
        let batch = Batch {
            length,
            queries: rows(0)?,
            keys: rows(1)?,
            values: rows(2)?,
            mask,
            norms: HeadNorms {
                queries: queries?,
                keys: keys?,
            },
            rotation,
            bias: match &bias {
                Some(bias) => Some(self.bias(bias, length)?),
                None => None,
            },
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

    /// Queries, keys or values, by the position of the input.
    fn rows<'a>(
        &self,
        input: &'a ValueRef<'_>,
        at: usize,
        texts: [usize; 2],
    ) -> ort::Result<Rows<'a>> {
        let (shape, data) = input.try_extract_tensor::<f32>()?;
        let (shape, offset) = (sizes(shape), self.offsets[at]);
        let width = if at == 0 {
            self.width()
        } else {
            self.attention.key_heads * self.attention.columns
        };
        let end = offset.saturating_add(width);
        match shape.as_slice() {
            &[batch, length, stride] if [batch, length] == texts && end <= stride => Ok(Rows {
                data,
                stride,
                offset,
            }),
            _ => {
                let expected = format!("{width} columns from {offset} on of {texts:?} tokens");
                Err(error(&expected, shape))
            }
        }
    }

    fn norm<'a>(
        &self,
        scale: Option<&'a ValueRef<'_>>,
        epsilon: f32,
    ) -> ort::Result<Option<HeadNorm<'a>>> {
        let Some(scale) = scale else { return Ok(None) };
        let (shape, scale) = scale.try_extract_tensor::<f32>()?;
        if scale.len() != self.attention.columns {
            let expected = format!("a scale of {} columns", self.attention.columns);
            return Err(error(&expected, shape));
        }
        Ok(Some(HeadNorm { scale, epsilon }))
    }

    fn bias<'a>(&self, bias: &'a ValueRef<'_>, length: usize) -> ort::Result<Bias<'a>> {
        let (shape, values) = bias.try_extract_tensor::<f32>()?;
        let bias = Bias::new(values, self.bias, length);
        bias.filter(|bias| bias.heads == 1 || bias.heads == self.attention.heads)
            .ok_or_else(|| {
                let Attention { heads, .. } = self.attention;
                let expected = format!("a bias of 1 or {heads} heads for {length} positions");
                error(&expected, shape)
            })
    }

    /// A table of cosines or sines, checked to cover `length` positions.
    fn table<'a>(&self, table: &'a ValueRef<'_>, length: usize) -> ort::Result<&'a [f32]> {
        let (shape, angles) = table.try_extract_tensor::<f32>()?;
        if angles.len() < length * self.rotated {
            let expected = format!("angles of {length} positions");
            return Err(error(&expected, shape));
        }
        Ok(angles)
    }
}
