//! Attention over all heads.

use multivec_kernels::{
    self as kernels, Batch, Bias, BiasForm, HeadNorm, HeadNorms, Precision, Rotation, Rows,
    SharedGranularity, Sight,
};
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, positive, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let proto = node.proto;
    let positions = |name: &str| usize::try_from(proto.int(name, -1)).ok();
    let attention = kernels::Attention {
        heads: positive(node, "heads")?,
        key_heads: positive(node, "key_heads")?,
        columns: positive(node, "columns")?,
        scale: proto.float("scale", 1.),
        sight: Sight {
            before: positions("before"),
            after: positions("after"),
        },
        softcap: Some(proto.float("softcap", 0.)).filter(|&cap| cap > 0.),
        fill: proto.float("fill", f32::NEG_INFINITY),
    };
    ensure!(
        attention.heads.is_multiple_of(attention.key_heads),
        "expected a divisor of {} as the number of heads of keys, found {}",
        attention.heads,
        attention.key_heads
    );
    let rotated = match proto.int("rotated", 0) {
        0 => attention.columns,
        _ => positive(node, "rotated")?,
    };
    ensure!(
        rotated <= attention.columns && rotated.is_multiple_of(2),
        "expected an even number of rotated columns of {}, found {rotated}",
        attention.columns
    );
    let mut inputs = tvec![node.input(0)?, node.input(1)?, node.input(2)?];
    let mut optional = [None; 6];
    for (at, place) in optional.iter_mut().enumerate() {
        if let Some(input) = node.optional(3 + at) {
            *place = Some(inputs.len());
            inputs.push(match at {
                0 => node.cast(input, i64::datum_type())?,
                _ => input,
            });
        }
    }
    let offset = |at: usize| {
        let offsets = proto.ints("offsets").unwrap_or_default();
        usize::try_from(offsets.get(at).copied().unwrap_or(0)).unwrap_or(usize::MAX)
    };
    let op = AttentionOp {
        attention,
        offsets: [offset(0), offset(1), offset(2)],
        optional,
        rotated,
        interleaved: proto.int("interleaved", 0) != 0,
        epsilons: ["query_epsilon", "key_epsilon"].map(|name| proto.float(name, 0.)),
        bias: match proto.int("relative", 0) {
            0 => BiasForm::Full,
            _ => BiasForm::Relative,
        },
        is_quantized: proto.int("quantized", 0) != 0,
        granularity: node.parts.granularity.clone(),
        threads: node.parts.threads.clone(),
    };
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// Inputs are queries, keys and values, then the others that there are.
#[derive(Clone, Debug)]
struct AttentionOp {
    attention: kernels::Attention,
    /// First columns of queries, keys and values in their rows.
    offsets: [usize; 3],
    /// Where the mask, cosines and sines, the scales of queries' and keys' norms
    /// and the bias are among the inputs.
    optional: [Option<usize>; 6],
    /// Columns of each head that are rotated.
    rotated: usize,
    /// Whether the rotation pairs adjacent columns.
    interleaved: bool,
    /// Of the norms of queries and of keys.
    epsilons: [f32; 2],
    bias: BiasForm,
    /// Whether queries, keys and values are outputs of quantized layers.
    is_quantized: bool,
    granularity: SharedGranularity,
    threads: Threads,
}

impl PartialEq for AttentionOp {
    fn eq(&self, other: &Self) -> bool {
        let parts = |op: &Self| {
            (
                op.attention,
                op.offsets,
                op.optional,
                op.rotated,
                op.interleaved,
                op.epsilons,
                op.bias,
                op.is_quantized,
            )
        };
        parts(self) == parts(other)
    }
}

// A NaN attribute would only make equal operators look different.
impl Eq for AttentionOp {}

impl Op for AttentionOp {
    fn name(&self) -> StaticName {
        "Attention".into()
    }

    op_as_typed_op!();
}

impl EvalOp for AttentionOp {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let &[texts, length, _] = inputs[0].shape() else {
            bail!("expected [batch, length, width], found {:?}", inputs[0]);
        };
        let Self {
            attention,
            optional,
            ..
        } = self;
        let columns = attention.columns;
        let rows = |at: usize| -> TractResult<Rows<'_>> {
            let heads = [attention.heads, attention.key_heads][at.min(1)];
            let (width, offset) = (heads * columns, self.offsets[at]);
            let stride = inputs[at].shape().last().copied().unwrap_or(0);
            ensure!(
                inputs[at].shape()[..inputs[at].rank() - 1] == [texts, length]
                    && offset.checked_add(width).is_some_and(|end| end <= stride),
                "expected {width} columns from {offset} on, found {:?}",
                inputs[at]
            );
            Ok(Rows {
                data: floats(&inputs, at)?,
                stride,
                offset,
            })
        };
        let given = |at: usize| optional[at].map(|at| floats(&inputs, at)).transpose();
        let mask = match optional[0] {
            Some(at) => Some(inputs[at].try_as_plain_ram()?.as_slice::<i64>()?),
            None => None,
        };
        let rotation = given(1)?.zip(given(2)?).map(|(cos, sin)| Rotation {
            cos,
            sin,
            columns: self.rotated,
            interleaved: self.interleaved,
        });
        let norm = |at: usize| -> TractResult<Option<HeadNorm<'_>>> {
            let epsilon = self.epsilons[at];
            Ok(given(3 + at)?.map(|scale| HeadNorm { scale, epsilon }))
        };
        let norms = HeadNorms {
            queries: norm(0)?,
            keys: norm(1)?,
        };
        let bias = match given(5)? {
            Some(values) => {
                let bias = Bias::new(values, self.bias, length);
                let bias = bias.filter(|bias| bias.heads == 1 || bias.heads == attention.heads);
                Some(bias.with_context(|| {
                    let heads = attention.heads;
                    format!("expected a bias of 1 or {heads} heads, found {inputs:?}")
                })?)
            }
            None => None,
        };
        let angles = length * self.rotated;
        let mut scales = [norms.queries, norms.keys].into_iter().flatten();
        ensure!(
            mask.is_none_or(|mask| mask.len() == texts * length)
                && rotation.is_none_or(|tables| tables.cos.len().min(tables.sin.len()) >= angles)
                && scales.all(|norm| norm.scale.len() == columns),
            "expected a mask of [{texts}, {length}], {angles} angles and {columns} scales, found \
             {inputs:?}"
        );
        let batch = Batch {
            length,
            queries: rows(0)?,
            keys: rows(1)?,
            values: rows(2)?,
            mask,
            norms,
            rotation,
            bias,
            precision: Precision::after(self.is_quantized.then(|| self.granularity.get())),
        };
        let width = attention.heads * columns;
        tensor(&[texts, length, width], |context| {
            attention.run(&batch, context, &*self.threads);
            Ok(())
        })
    }
}

impl TypedOp for AttentionOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut shape: TVec<TDim> = inputs[0].shape.to_tvec();
        if let Some(last) = shape.last_mut() {
            *last = (self.attention.heads * self.attention.columns).to_dim();
        }
        Ok(tvec!(f32::fact(shape)))
    }

    as_op!();
}
