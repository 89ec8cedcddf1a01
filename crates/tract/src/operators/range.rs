//! Ranges of numbers, whose bounds may depend on the shape of the batch.

use tract_core::internal::*;

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    match name {
        "Range" => Some(range),
        _ => None,
    }
}

fn range(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let given = [node.input(0)?, node.input(1)?, node.input(2)?];
    let mut bounds = node.align(&given)?;
    if node.dtype(bounds[0])?.is_tdim() {
        for bound in &mut bounds {
            *bound = node.cast(*bound, i64::datum_type())?;
        }
    }
    for bound in &mut bounds {
        // Some exporters write a bound as a tensor of one element.
        if node.rank(*bound)? == 1 {
            *bound = node.wire(AxisOp::Rm(0), &[*bound])?;
        }
    }
    let known = [node.dims(0), node.dims(1), node.dims(2)];
    let length = match known.each_ref().map(|bound| bound.as_deref()) {
        [Ok([start]), Ok([end]), Ok([step])] => length(start, end, step),
        _ => None,
    };
    let length = length.unwrap_or_else(|| node.model.symbols.new_with_prefix("range").to_dim());
    Ok(tvec!(node.wire(Range { length }, &bounds)?))
}

fn length(start: &TDim, end: &TDim, step: &TDim) -> Option<TDim> {
    let step = usize::try_from(step.to_i64().ok()?).ok()?;
    (step > 0).then(|| (end.clone() - start).divceil(step))
}

/// `start`, `start + step` and so on, before `end`.
///
/// Replaces tract's own operator: its optimizer derives that the values are
/// not negative and then drops an axis of tensors that they are compared with.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Range {
    length: TDim,
}

impl Op for Range {
    fn name(&self) -> StaticName {
        "Range".into()
    }

    fn mints_runtime_symbols(&self) -> bool {
        true
    }

    op_as_typed_op!();
}

impl EvalOp for Range {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (start, end, step) = args_3!(inputs);
        let range = match start.datum_type() {
            DatumType::I64 => {
                let scalar = |tensor: &TValue| tensor.cast_to_scalar::<i64>();
                let (start, end, step) = (scalar(&start)?, scalar(&end)?, scalar(&step)?);
                ensure!(step != 0, "expected a step other than 0");
                let is_inside = |&at: &i64| if step > 0 { at < end } else { at > end };
                let next = |at: &i64| at.checked_add(step);
                let values = std::iter::successors(Some(start), next).take_while(is_inside);
                tensor1(&values.collect::<Vec<_>>())
            }
            _ => {
                let scalar = |tensor: &TValue| tensor.cast_to_scalar::<f32>();
                let (first, end, step) = (scalar(&start)?, scalar(&end)?, scalar(&step)?);
                let count = ((end - first) / step).ceil().max(0.);
                ensure!(
                    count.is_finite(),
                    "expected a step other than 0 and finite bounds, found {first}, {end} and {step}"
                );
                let values = (0..count as usize).map(|at| first + at as f32 * step);
                let values = tensor1(&values.collect::<Vec<_>>());
                values.cast_to_dt(start.datum_type())?.into_owned()
            }
        };
        Ok(tvec!(range.into_tvalue()))
    }
}

impl TypedOp for Range {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].datum_type.fact([self.length.clone()])))
    }

    as_op!();
}
