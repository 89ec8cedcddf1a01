//! The operators that the core puts in fused graphs.

use multivec_core::kernels::{self, Batch, Rotation};
use tract_core::internal::*;
use tract_core::ops::array::Slice;

use super::super::node::Node;
use super::{Operator, elementwise};

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "ai.multivec.Attention" => attention,
        "ai.multivec.Columns" => columns,
        "ai.multivec.Gelu" => elementwise::gelu,
        _ => return None,
    })
}

fn columns(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let axis = node.rank(input)? - 1;
    let start = node.proto.int("start", 0);
    let end = start + node.proto.int("width", 0);
    Ok(tvec!(node.wire(Slice::new(axis, start, end), &[input])?))
}

fn attention(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let proto = node.proto;
    let positive = |name: &str| -> TractResult<usize> {
        let value = proto.int(name, 0);
        usize::try_from(value)
            .ok()
            .filter(|&value| value > 0)
            .with_context(|| format!("expected `{name}` above 0, found {value}"))
    };
    let attention = kernels::Attention {
        heads: positive("heads")?,
        columns: positive("columns")?,
        scale: proto.float("scale", 1.),
        window: positive("window").ok(),
        fill: proto.float("fill", f32::NEG_INFINITY),
    };
    let mut inputs = tvec![node.input(0)?, node.input(1)?, node.input(2)?];
    let mask = node.optional(3);
    if let Some(mask) = mask {
        inputs.push(node.cast(mask, i64::datum_type())?);
    }
    let rotation = node.optional(4).zip(node.optional(5));
    inputs.extend(rotation.iter().flat_map(|&(cos, sin)| [cos, sin]));
    let op = AttentionOp {
        attention,
        is_masked: mask.is_some(),
        rotation: rotation.map(|_| proto.int("interleaved", 0) != 0),
    };
    Ok(tvec!(node.wire(op, &inputs)?))
}

/// Attention of the core, on queries, keys and values, then the mask, then
/// cosines and sines, where there are such.
#[derive(Clone, Debug, PartialEq)]
struct AttentionOp {
    attention: kernels::Attention,
    is_masked: bool,
    /// Whether neighbours are turned together, where there is a rotation.
    rotation: Option<bool>,
}

// All numbers come from a graph; none is compared with itself as NaN.
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
        let floats = |at: usize| -> TractResult<&[f32]> {
            let input = inputs.get(at).context("expected an input, found none")?;
            input.try_as_plain_ram()?.as_slice::<f32>()
        };
        let &[texts, length, width] = inputs[0].shape() else {
            bail!("expected [batch, length, width], found {:?}", inputs[0]);
        };
        let size = texts * length * width;
        let rows = [floats(0)?, floats(1)?, floats(2)?];
        ensure!(
            width == self.attention.heads * self.attention.columns
                && rows.iter().all(|rows| rows.len() == size),
            "expected {} heads of {} columns, found {:?}",
            self.attention.heads,
            self.attention.columns,
            inputs
        );
        let mask = match self.is_masked {
            true => Some(inputs[3].try_as_plain_ram()?.as_slice::<i64>()?),
            false => None,
        };
        let tables = 3 + usize::from(self.is_masked);
        let rotation = match self.rotation {
            Some(interleaved) => Some(Rotation {
                cos: floats(tables)?,
                sin: floats(tables + 1)?,
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
        let mut context = vec![0.; size];
        let batch = Batch {
            length,
            queries: rows[0],
            keys: rows[1],
            values: rows[2],
            mask,
            rotation,
        };
        self.attention.run(&batch, &mut context);
        let context = tract_ndarray::Array3::from_shape_vec((texts, length, width), context)?;
        Ok(tvec!(context.into_tvalue()))
    }
}

impl TypedOp for AttentionOp {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(f32::fact(inputs[0].shape.clone())))
    }

    as_op!();
}
