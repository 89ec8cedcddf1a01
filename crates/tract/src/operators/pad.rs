//! Padding of axes.

use tract_core::internal::*;

use super::super::node::{Node, resolve_axis};
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    match name {
        "Pad" => Some(pad),
        _ => None,
    }
}

/// Pads are an attribute in older operator sets, an input in newer ones, for
/// all axes or for those of another input.
fn pad(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    let rank = node.rank(result)?;
    let pads: TVec<TDim> = match node.proto.ints("pads") {
        Some(pads) => pads.iter().map(ToDim::to_dim).collect(),
        None => node.dims(1)?,
    };
    let axes = match node.optional(3) {
        Some(_) => node.integers(3)?,
        None => (0..rank as i64).collect(),
    };
    ensure!(
        pads.len() == 2 * axes.len(),
        "expected {} pads, found {}",
        2 * axes.len(),
        pads.len()
    );
    let mode = match node.proto.string("mode") {
        "" | "constant" => Mode::Constant,
        "edge" => Mode::Edge,
        "reflect" => Mode::Reflect,
        "wrap" => Mode::Wrap,
        other => bail!("expected a mode of padding, found `{other}`"),
    };
    // Sizes become plain integers: what is padded is copied by bytes.
    if node.dtype(result)?.is_tdim() {
        result = node.cast(result, i64::datum_type())?;
    }
    let dtype = node.dtype(result)?;
    ensure!(
        dtype.is_number() || dtype == bool::datum_type(),
        "expected numbers or booleans, found {dtype:?}"
    );
    let value = match node.optional(2) {
        Some(_) => node.constant(2)?,
        None => rctensor0(node.proto.float("value", 0.)),
    };
    let value = value.cast_to_dt(dtype)?.into_owned().into_shape(&[])?;
    for (at, &axis) in axes.iter().enumerate() {
        let (before, after) = (pads[at].clone(), pads[at + axes.len()].clone());
        if before == 0.to_dim() && after == 0.to_dim() {
            continue;
        }
        let op = Pad {
            axis: resolve_axis(axis, rank)?,
            before,
            after,
            mode,
            value: value.clone().into(),
        };
        result = node.wire(op, &[result])?;
    }
    Ok(tvec!(result))
}

/// What is before and after an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Mode {
    Constant,
    /// The first and last elements.
    Edge,
    /// The axis mirrored at its first and last elements.
    Reflect,
    /// The axis again.
    Wrap,
}

impl Mode {
    /// The element of an axis of `dim` that stands at a position outside of it.
    fn source(self, at: i64, dim: i64) -> Option<usize> {
        let inside = |at: i64| usize::try_from(at).ok().filter(|_| at < dim);
        inside(match self {
            Self::Constant => at,
            Self::Edge => at.clamp(0, dim - 1),
            Self::Wrap => at.checked_rem_euclid(dim)?,
            Self::Reflect => {
                let period = 2 * (dim - 1).max(1);
                let at = at.rem_euclid(period);
                at.min(period - at)
            }
        })
    }
}

/// Padding of one axis; negative pads cut elements off.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Pad {
    axis: usize,
    before: TDim,
    after: TDim,
    mode: Mode,
    value: Arc<Tensor>,
}

impl Op for Pad {
    fn name(&self) -> StaticName {
        "Pad".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Pad {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let dim = input.shape()[self.axis] as i64;
        let before = self.before.eval_to_i64(context.symbols)?;
        let after = self.after.eval_to_i64(context.symbols)?;
        let size = dim
            .checked_add(before)
            .and_then(|size| size.checked_add(after));
        let size = size.and_then(|size| usize::try_from(size).ok());
        let size = size.with_context(|| {
            format!("expected pads that leave an axis of {dim}, found {before} and {after}")
        })?;
        let mut shape: TVec<usize> = input.shape().into();
        shape[self.axis] = size;
        let mut output = Tensor::zero_dt(input.datum_type(), &shape)?;
        let bytes = input.datum_type().size_of();
        let block = shape[self.axis + 1..].iter().product::<usize>() * bytes;
        let value = self.value.try_as_plain_ram()?.as_bytes().to_vec();
        let from = input.try_as_plain_ram()?;
        let from = from.as_bytes();
        let mut to = output.try_as_plain_ram_mut()?;
        for (at, to) in to.as_bytes_mut().chunks_exact_mut(block.max(1)).enumerate() {
            let (text, place) = (at / size, at % size);
            match self.mode.source(place as i64 - before, dim) {
                Some(place) => {
                    let place = text * dim as usize + place;
                    to.copy_from_slice(&from[place * block..][..block]);
                }
                None => to
                    .chunks_exact_mut(bytes)
                    .for_each(|element| element.copy_from_slice(&value)),
            }
        }
        Ok(tvec!(output.into_tvalue()))
    }
}

impl TypedOp for Pad {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut fact = inputs[0].without_value();
        let size = inputs[0].shape[self.axis].clone() + &self.before + &self.after;
        fact.shape.set(self.axis, size);
        Ok(tvec!(fact))
    }

    as_op!();
}
