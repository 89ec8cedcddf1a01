//! Slices, whose bounds may be expressions of sizes.

use tract_core::internal::*;
use tract_core::ops::array::Slice;
use tract_core::ops::downsample::Downsample;

use super::super::node::{Node, resolve_axis};
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    match name {
        "Slice" => Some(slice),
        _ => None,
    }
}

/// Bounds are attributes in older operator sets, inputs in newer ones.
fn slice(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    let rank = node.rank(result)?;
    let attribute = |name| {
        let values = node.proto.ints(name)?;
        Some(values.iter().map(ToDim::to_dim).collect::<TVec<TDim>>())
    };
    let (starts, ends, axes) = match (attribute("starts"), attribute("ends")) {
        (Some(starts), Some(ends)) => (starts, ends, node.proto.ints("axes").map(TVec::from_slice)),
        _ => {
            let axes = node.optional(3).map(|_| node.integers(3)).transpose()?;
            (node.dims(1)?, node.dims(2)?, axes)
        }
    };
    let axes = axes.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = match node.optional(4) {
        Some(_) => node.integers(4)?,
        None => tvec![1; axes.len()],
    };
    ensure!(
        starts.len() == axes.len() && ends.len() == axes.len() && steps.len() == axes.len(),
        "expected starts, ends and steps of {} axes, found {}, {} and {}",
        axes.len(),
        starts.len(),
        ends.len(),
        steps.len()
    );
    for (at, axis) in axes.into_iter().enumerate() {
        let step = isize::try_from(steps[at])?;
        ensure!(step != 0, "expected steps other than 0");
        let axis = resolve_axis(axis, rank)?;
        let dim = node.shape(result)?[axis].clone();
        let bounds = Bounds {
            start: starts[at].clone(),
            end: ends[at].clone(),
        };
        // A backward slice is a forward one in reverse.
        let (given, taken) = if step > 0 {
            let taken = bounds.forward(&dim);
            (bounds, taken)
        } else {
            let taken = bounds.backward(&dim);
            (taken.clone(), taken)
        };
        if taken.start != 0.to_dim() || taken.end != dim {
            result = if taken.are_within(&dim) {
                let (start, end) = (taken.start, taken.end);
                node.wire(Slice { axis, start, end }, &[result])?
            } else {
                node.wire(SliceBySizes { axis, given, taken }, &[result])?
            };
        }
        if step != 1 {
            result = node.wire(Downsample::new(axis, step, 0), &[result])?;
        }
    }
    Ok(tvec!(result))
}

/// Positions from `start` up to `end`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bounds {
    start: TDim,
    end: TDim,
}

/// What stands for any larger bound or size.
const LARGE: i64 = 1 << 40;

impl Bounds {
    /// The positions of a slice with a step above 0.
    fn forward(&self, dim: &TDim) -> Self {
        let resolve = |bound: &TDim| Limits::new(0, dim.clone()).clamp(bound, dim);
        let (start, end) = (resolve(&self.start), resolve(&self.end));
        Self::ordered(start, end)
    }

    /// The positions of a slice with a step below 0, in ascending order.
    fn backward(&self, dim: &TDim) -> Self {
        let resolve = |bound: &TDim| Limits::new(-1, dim.clone() - 1).clamp(bound, dim);
        let (first, before) = (resolve(&self.start), resolve(&self.end));
        Self::ordered(before + 1, first + 1)
    }

    /// No position where the end is before the start.
    fn ordered(start: TDim, end: TDim) -> Self {
        let is_empty = Sign::of(&(end.clone() - &start)) == Sign::Negative;
        let end = if is_empty { start.clone() } else { end };
        Self { start, end }
    }

    /// Whether these are positions of an axis of `dim`, one at least, whatever
    /// the sizes.
    fn are_within(&self, dim: &TDim) -> bool {
        let differences = [
            self.start.clone(),
            self.end.clone() - &self.start - 1,
            dim.clone() - &self.end,
        ];
        let mut signs = differences.iter().map(Sign::of);
        signs.all(|sign| sign == Sign::Positive)
    }
}

/// Where the bounds of a slice may be.
struct Limits {
    least: TDim,
    most: TDim,
}

impl Limits {
    fn new(least: i64, most: TDim) -> Self {
        let least = least.to_dim();
        Self { least, most }
    }

    /// The position of a bound on an axis of `dim`, within the limits.
    ///
    /// Where an expression may have either sign, or may be beyond a limit, it
    /// is taken for the position that it is for the sizes that the model was
    /// made for, as `200 - length` of 400 positions; [`SliceBySizes`] refuses
    /// others.
    fn clamp(&self, bound: &TDim, dim: &TDim) -> TDim {
        let known = bound.as_i64().map(|value| value.clamp(-LARGE, LARGE));
        let mut bound = known.map_or_else(|| bound.clone(), |value| value.to_dim());
        if Sign::of(&bound) == Sign::Negative {
            bound += dim;
        }
        bound = match Sign::of(&(bound.clone() - &self.least)) {
            Sign::Negative => self.least.clone(),
            Sign::Either if known.is_some() => TDim::Max(vec![bound, self.least.clone()]),
            _ => bound,
        };
        bound = match Sign::of(&(self.most.clone() - &bound)) {
            Sign::Negative => self.most.clone(),
            Sign::Either if known.is_some() => TDim::Min(vec![bound, self.most.clone()]),
            _ => bound,
        };
        bound.simplify()
    }
}

/// The sign of an expression, for all sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// Or zero.
    Positive,
    Negative,
    /// It depends on the sizes, or is not known.
    Either,
}

impl Sign {
    /// Seen from the smallest and from large sizes. Expressions of sizes are
    /// nearly always linear; no wrong sign goes unnoticed when the model runs.
    #[allow(clippy::mutable_key_type)]
    fn of(expression: &TDim) -> Self {
        let sign = |value: i64| {
            if value < 0 {
                Self::Negative
            } else {
                Self::Positive
            }
        };
        if let Some(value) = expression.as_i64() {
            return sign(value);
        }
        let symbols: Vec<Symbol> = expression.symbols().into_iter().collect();
        if symbols.len() > MOST_SYMBOLS {
            return Self::Either;
        }
        let mut corners = (0..1u32 << symbols.len()).map(|corner| {
            let mut values = SymbolValues::default();
            for (at, symbol) in symbols.iter().enumerate() {
                let is_large = corner >> at & 1 == 1;
                values.set(symbol, if is_large { LARGE_SIZE } else { 1 });
            }
            expression.eval_to_i64(&values).map_or(Self::Either, sign)
        });
        let first = corners.next().unwrap_or(Self::Either);
        if corners.all(|sign| sign == first) {
            first
        } else {
            Self::Either
        }
    }
}

/// As many as no text and no batch has.
const LARGE_SIZE: i64 = 1 << 20;
/// Symbols of an expression whose sign is looked for.
const MOST_SYMBOLS: usize = 6;

/// A slice whose bounds can be outside of the axis for some sizes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SliceBySizes {
    axis: usize,
    /// The bounds of the node.
    given: Bounds,
    /// The positions that were taken for them.
    taken: Bounds,
}

impl Op for SliceBySizes {
    fn name(&self) -> StaticName {
        "SliceBySizes".into()
    }

    op_as_typed_op!();
}

impl EvalOp for SliceBySizes {
    op_out_of_plan!();

    fn eval(&self, context: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let dim = input.shape()[self.axis] as i64;
        let eval = |bound: &TDim| bound.eval_to_i64(context.symbols);
        let position = |bound: &TDim| -> TractResult<i64> {
            let bound = eval(bound)?;
            let from_start = if bound < 0 {
                bound.saturating_add(dim)
            } else {
                bound
            };
            Ok(from_start.clamp(0, dim))
        };
        let (start, end) = (position(&self.given.start)?, position(&self.given.end)?);
        let size = (end - start).max(0);
        let taken = eval(&self.taken.end)? - eval(&self.taken.start)?;
        ensure!(
            size == taken,
            "expected positions {} to {} of an axis of {dim}, found {} to {}",
            self.taken.start,
            self.taken.end,
            eval(&self.taken.start)?,
            eval(&self.taken.end)?
        );
        if size == 0 {
            // tract has no slices of nothing.
            let mut shape: TVec<usize> = input.shape().into();
            shape[self.axis] = 0;
            let empty = Tensor::zero_dt(input.datum_type(), &shape)?;
            return Ok(tvec!(empty.into_tvalue()));
        }
        let (start, size) = (start as usize, size as usize);
        Ok(tvec!(
            input.slice(self.axis, start, start + size)?.into_tvalue()
        ))
    }
}

impl TypedOp for SliceBySizes {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let mut fact = inputs[0].without_value();
        let size = self.taken.end.clone() - &self.taken.start;
        fact.shape.set(self.axis, size);
        Ok(tvec!(fact))
    }

    as_op!();
}
