//! Positions of elements, and elements written to positions.

use tract_core::internal::*;

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "NonZero" => non_zero,
        "ScatterElements" => |node| {
            let data = node.input(0)?;
            let axis = node.axis(node.proto.int("axis", 0), data)?;
            scatter(node, Places::Along(axis))
        },
        "ScatterND" => |node| scatter(node, Places::Points),
        _ => return None,
    })
}

/// How many there are depends on the values: a size that is known when the
/// model runs.
fn non_zero(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let input = match node.dtype(input)? {
        boolean if boolean == bool::datum_type() => input,
        _ => {
            let zero = node.scalar(0., input)?;
            node.binary(tract_core::ops::logic::comp_ne(), input, zero)?
        }
    };
    let count = node.model.symbols.new_with_prefix("count");
    Ok(tvec!(node.wire(NonZero { count }, &[input])?))
}

/// The positions of elements that are true, `[rank, count]`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct NonZero {
    count: Symbol,
}

impl Op for NonZero {
    fn name(&self) -> StaticName {
        "NonZero".into()
    }

    fn mints_runtime_symbols(&self) -> bool {
        true
    }

    op_as_typed_op!();
}

impl EvalOp for NonZero {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let values = input.try_as_plain_ram()?.as_slice::<bool>()?;
        let places = values.iter().enumerate().filter(|(_, is_set)| **is_set);
        let places: Vec<usize> = places.map(|(at, _)| at).collect();
        let mut positions = Vec::with_capacity(input.rank() * places.len());
        for axis in 0..input.rank() {
            let (dim, stride) = (input.shape()[axis], input.strides()[axis] as usize);
            positions.extend(places.iter().map(|at| (at / stride % dim) as i64));
        }
        let shape = [input.rank(), places.len()];
        Ok(tvec!(Tensor::from_shape(&shape, &positions)?.into_tvalue()))
    }
}

impl TypedOp for NonZero {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(i64::fact([
            inputs[0].rank().to_dim(),
            self.count.to_dim()
        ])))
    }

    as_op!();
}

fn scatter(node: &mut Node<'_>, places: Places) -> TractResult<TVec<OutletId>> {
    let reduction = match node.proto.string("reduction") {
        "" | "none" => Reduction::None,
        "add" => Reduction::Add,
        "mul" => Reduction::Mul,
        "max" => Reduction::Max,
        "min" => Reduction::Min,
        other => bail!("expected a reduction, found `{other}`"),
    };
    let given = node.dtype(node.input(0)?)?;
    let integer = i64::datum_type();
    let dtype = match given {
        boolean if boolean == bool::datum_type() => boolean,
        float if float.is_float() => f32::datum_type(),
        _ => integer,
    };
    let inputs = [
        node.cast(node.input(0)?, dtype)?,
        node.cast(node.input(1)?, integer)?,
        node.cast(node.input(2)?, dtype)?,
    ];
    let result = node.wire(Scatter { places, reduction }, &inputs)?;
    // Sizes become plain integers.
    Ok(tvec!(if given.is_tdim() {
        result
    } else {
        node.cast(result, given)?
    }))
}

/// What positions stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Places {
    /// The place of each update along an axis; its others are those of the
    /// update.
    Along(usize),
    /// The first axes of an element or block.
    Points,
}

/// What becomes of the element that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Reduction {
    None,
    Add,
    Mul,
    Max,
    Min,
}

/// Inputs are the data, positions, and updates.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Scatter {
    places: Places,
    reduction: Reduction,
}

impl Scatter {
    fn blocks(&self, data: &Tensor, positions: &Tensor, updates: &Tensor) -> TractResult<Blocks> {
        let (shape, strides) = (data.shape(), data.strides());
        let at = |axis: usize, position: i64| -> TractResult<usize> {
            let dim = shape[axis];
            let from_start = if position < 0 {
                position + dim as i64
            } else {
                position
            };
            let place = usize::try_from(from_start).ok().filter(|&at| at < dim);
            let place = place.with_context(|| {
                format!("expected positions below {dim} on axis {axis}, found {position}")
            })?;
            Ok(place * strides[axis] as usize)
        };
        let values = positions.try_as_plain_ram()?.as_slice::<i64>()?;
        match self.places {
            Places::Points => {
                let axes = positions.shape().last().copied().unwrap_or(0);
                let points = positions.len() / axes.max(1);
                let expected = [
                    &positions.shape()[..positions.rank().saturating_sub(1)],
                    shape.get(axes..).context("expected fewer axes")?,
                ];
                ensure!(
                    axes > 0 && updates.shape() == expected.concat(),
                    "expected updates of {:?}, found {:?}",
                    expected.concat(),
                    updates.shape()
                );
                let point = |point: &[i64]| {
                    let places = point.iter().enumerate();
                    places.map(|(axis, &position)| at(axis, position)).sum()
                };
                let starts = values
                    .chunks_exact(axes)
                    .map(point)
                    .collect::<TractResult<_>>()?;
                let size = updates.len().checked_div(points).unwrap_or(0);
                Ok(Blocks { starts, size })
            }
            Places::Along(along) => {
                let rank = shape.len();
                ensure!(
                    updates.shape() == positions.shape() && positions.rank() == rank,
                    "expected as many updates as positions of {rank} axes, found {:?} and {:?}",
                    updates.shape(),
                    positions.shape()
                );
                let place = |(index, &position): (usize, &i64)| {
                    let mut offset = at(along, position)?;
                    for axis in (0..rank).filter(|&axis| axis != along) {
                        let stride = positions.strides()[axis] as usize;
                        let place = index / stride % positions.shape()[axis];
                        offset += at(axis, place as i64)?;
                    }
                    Ok(offset)
                };
                let starts = values.iter().enumerate().map(place);
                let starts = starts.collect::<TractResult<_>>()?;
                Ok(Blocks { starts, size: 1 })
            }
        }
    }
}

/// Blocks of elements that updates are written to.
struct Blocks {
    /// Where in the data each starts.
    starts: Vec<usize>,
    size: usize,
}

impl Blocks {
    fn write<T: Datum + Copy>(
        &self,
        data: &mut Tensor,
        updates: &Tensor,
        join: fn(T, T) -> T,
    ) -> TractResult<()> {
        let updates = updates.try_as_plain_ram()?.as_slice::<T>()?;
        let mut memory = data.try_as_plain_ram_mut()?;
        let data = memory.as_slice_mut::<T>()?;
        let updates = updates.chunks_exact(self.size.max(1));
        for (&start, updates) in self.starts.iter().zip(updates) {
            for (element, &update) in data[start..][..self.size].iter_mut().zip(updates) {
                *element = join(*element, update);
            }
        }
        Ok(())
    }
}

impl Op for Scatter {
    fn name(&self) -> StaticName {
        "Scatter".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Scatter {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let (data, positions, updates) = args_3!(inputs);
        let mut data = data.into_tensor();
        let blocks = self.blocks(&data, &positions, &updates)?;
        match data.datum_type() {
            DatumType::F32 => blocks.write(&mut data, &updates, self.reduction.of_floats())?,
            DatumType::I64 => blocks.write(&mut data, &updates, self.reduction.of_integers())?,
            _ => {
                ensure!(
                    self.reduction == Reduction::None,
                    "expected no reduction of booleans, found {:?}",
                    self.reduction
                );
                blocks.write::<bool>(&mut data, &updates, |_, new| new)?;
            }
        }
        Ok(tvec!(data.into_tvalue()))
    }
}

impl Reduction {
    fn of_floats(self) -> fn(f32, f32) -> f32 {
        match self {
            Self::None => |_, new| new,
            Self::Add => |old, new| old + new,
            Self::Mul => |old, new| old * new,
            Self::Max => f32::max,
            Self::Min => f32::min,
        }
    }

    fn of_integers(self) -> fn(i64, i64) -> i64 {
        match self {
            Self::None => |_, new| new,
            Self::Add => i64::wrapping_add,
            Self::Mul => i64::wrapping_mul,
            Self::Max => i64::max,
            Self::Min => i64::min,
        }
    }
}

impl TypedOp for Scatter {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        Ok(tvec!(inputs[0].without_value()))
    }

    as_op!();
}
