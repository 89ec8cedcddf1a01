//! Attention over all heads.

use multivec_kernels::{
    self as kernels, Batch, HeadNorms, Precision, Rotation, Rows, SharedGranularity, Sight,
};
use tract_core::internal::*;

use super::super::super::node::Node;
use super::{floats, positive, tensor};
use crate::threads::Threads;

pub(super) fn wire(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let proto = node.proto;
    let heads = positive(node, "heads")?;
    let window = positive(node, "window").ok();
    let attention = kernels::Attention {
        heads,
        key_heads: heads,
        columns: positive(node, "columns")?,
        scale: proto.float("scale", 1.),
        sight: Sight {
            before: window,
            after: window,
        },
        softcap: None,
        fill: proto.float("fill", f32::NEG_INFINITY),
    };
    let mut inputs = tvec![node.input(0)?, node.input(1)?, node.input(2)?];
    let mask = node.optional(3);
    if let Some(mask) = mask {
        inputs.push(node.cast(mask, i64::datum_type())?);
    }
    let rotation = node.optional(4).zip(node.optional(5));
    inputs.extend(rotation.iter().flat_map(|&(cos, sin)| [cos, sin]));
    let offset = |at: usize| {
        let offsets = proto.ints("offsets").unwrap_or_default();
        usize::try_from(offsets.get(at).copied().unwrap_or(0)).unwrap_or(usize::MAX)
    };
    let op = AttentionOp {
        attention,
        offsets: [offset(0), offset(1), offset(2)],
        is_masked: mask.is_some(),
        rotation: rotation.map(|_| proto.int("interleaved", 0) != 0),
        is_quantized: proto.int("quantized", 0) != 0,
        granularity: node.parts.granularity.clone(),
        threads: node.parts.threads.clone(),
    };
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// Inputs are queries, keys and values, then the mask and the cosines and sines
/// of the rotation, each if there is one.
#[derive(Clone, Debug)]
struct AttentionOp {
    attention: kernels::Attention,
    /// First columns of queries, keys and values in their rows.
    offsets: [usize; 3],
    is_masked: bool,
    /// With a rotation, whether it pairs adjacent columns.
    rotation: Option<bool>,
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
                op.is_masked,
                op.rotation,
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
        let width = self.attention.heads * self.attention.columns;
        let rows = |at: usize| -> TractResult<Rows<'_>> {
            let (data, offset) = (floats(&inputs, at)?, self.offsets[at]);
            let stride = inputs[at].shape().last().copied().unwrap_or(0);
            ensure!(
                inputs[at].shape()[..inputs[at].rank() - 1] == [texts, length]
                    && offset.checked_add(width).is_some_and(|end| end <= stride),
                "expected {width} columns from {offset} on, found {:?}",
                inputs[at]
            );
            Ok(Rows {
                data,
                stride,
                offset,
            })
        };
        let mask = if self.is_masked {
            Some(inputs[3].try_as_plain_ram()?.as_slice::<i64>()?)
        } else {
            None
        };
        let tables = 3 + usize::from(self.is_masked);
        let rotation = match self.rotation {
            Some(interleaved) => Some(Rotation {
                cos: floats(&inputs, tables)?,
                sin: floats(&inputs, tables + 1)?,
                interleaved,
            }),
            None => None,
        };
        let angles = length * self.attention.columns;
        ensure!(
            mask.is_none_or(|mask| mask.len() == texts * length)
                && rotation.is_none_or(|tables| tables.cos.len().min(tables.sin.len()) >= angles),
            "expected a mask of [{texts}, {length}] and {angles} angles, found {inputs:?}"
        );
        let batch = Batch {
            length,
            queries: rows(0)?,
            keys: rows(1)?,
            values: rows(2)?,
            mask,
            norms: HeadNorms::default(),
            rotation,
            bias: None,
            precision: Precision::after(self.is_quantized.then(|| self.granularity.get())),
        };
        tensor(&[texts, length, width], |context| {
            self.attention.run(&batch, context, &*self.threads);
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
