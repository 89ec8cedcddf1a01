//! Operators that select elements by position.

use tract_core::internal::*;
use tract_core::ops::array::{Gather, GatherElements, GatherNd, Slice, StridedSlice, Trilu};
use tract_core::ops::downsample::Downsample;

use super::super::node::{Node, resolve_axis};
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "Gather" => gather,
        "GatherElements" => gather_elements,
        "GatherND" => gather_nd,
        "Slice" => slice,
        "Split" => split,
        "Trilu" => trilu,
        _ => return None,
    })
}

fn gather(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (data, indices) = (node.input(0)?, node.input(1)?);
    let axis = node.axis(node.proto.int("axis", 0), data)?;
    let indices = node.cast(indices, i64::datum_type())?;
    let op = Gather {
        axis,
        output_type: None,
    };
    Ok(tvec!(node.wire(op, &[data, indices])?))
}

fn gather_elements(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (data, indices) = (node.input(0)?, node.input(1)?);
    let axis = node.axis(node.proto.int("axis", 0), data)?;
    let indices = node.cast(indices, i64::datum_type())?;
    Ok(tvec!(node.wire(GatherElements { axis }, &[data, indices])?))
}

fn gather_nd(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let (data, indices) = (node.input(0)?, node.input(1)?);
    let batch_dims = usize::try_from(node.proto.int("batch_dims", 0))?;
    Ok(tvec!(node.wire(GatherNd { batch_dims }, &[data, indices])?))
}

/// Bounds are attributes in older operator sets, inputs in newer ones.
fn slice(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let mut result = node.input(0)?;
    let rank = node.rank(result)?;
    let proto = node.proto;
    let (begins, ends, axes) = match (proto.ints("starts"), proto.ints("ends")) {
        (Some(begins), Some(ends)) => {
            let axes = proto.ints("axes").map(TVec::from_slice);
            (rctensor1(begins), rctensor1(ends), axes)
        }
        _ => {
            let axes = match node.optional(3) {
                Some(_) => Some(node.integers(3)?),
                None => None,
            };
            (node.constant(1)?, node.constant(2)?, axes)
        }
    };
    let axes = axes.unwrap_or_else(|| (0..begins.len() as i64).collect());
    let steps = match node.optional(4) {
        Some(_) => node.integers(4)?,
        None => tvec![1; axes.len()],
    };
    let steps = steps
        .into_iter()
        .map(i32::try_from)
        .collect::<Result<TVec<_>, _>>()?;
    ensure!(
        begins.len() == axes.len() && ends.len() == axes.len() && steps.len() == axes.len(),
        "expected starts, ends and steps of {} axes, found {}, {} and {}",
        axes.len(),
        begins.len(),
        ends.len(),
        steps.len()
    );
    let bounds = StridedSlice {
        optional_axes_input: None,
        optional_steps_input: None,
        begin_mask: 0,
        end_mask: 0,
        shrink_axis_mask: 0,
    };
    for (at, axis) in axes.into_iter().enumerate() {
        ensure!(steps[at] != 0, "expected steps other than 0");
        let axis = resolve_axis(axis, rank)?;
        let dim = node.shape(result)?[axis].clone();
        let found = bounds.prepare_one_dim(at, &dim, &begins, &ends, &steps)?;
        // A backward slice is a forward one in reverse.
        let (start, end) = if found.stride > 0 {
            (found.begin, found.end)
        } else {
            (found.end + 1, found.begin + 1)
        };
        if start != 0.to_dim() || end != dim {
            result = node.wire(Slice { axis, start, end }, &[result])?;
        }
        if found.stride != 1 {
            let stride = found.stride as isize;
            result = node.wire(Downsample::new(axis, stride, 0), &[result])?;
        }
    }
    Ok(tvec!(result))
}

/// Sizes of the parts are an attribute, an input, or equal.
fn split(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let axis = node.axis(node.proto.int("axis", 0), input)?;
    let dim = node.shape(input)?[axis].clone();
    let parts = node.proto.output.len();
    let sizes: TVec<TDim> = match (node.proto.ints("split"), node.optional(1)) {
        (Some(sizes), _) => sizes.iter().map(ToDim::to_dim).collect(),
        (None, Some(_)) => node.dims(1)?,
        // All but the last have the same size.
        (None, None) => {
            let size = dim.clone().div_ceil(parts as u64);
            let last = dim - size.clone() * (parts as i64 - 1);
            let mut sizes = tvec![size; parts];
            sizes[parts - 1] = last;
            sizes
        }
    };
    ensure!(
        sizes.len() == parts,
        "expected {parts} parts, found {}",
        sizes.len()
    );
    let mut start = 0.to_dim();
    let mut outlets = tvec!();
    for size in sizes {
        let end = start.clone() + size;
        let slice = Slice {
            axis,
            start,
            end: end.clone(),
        };
        outlets.push(node.wire(slice, &[input])?);
        start = end;
    }
    Ok(outlets)
}

fn trilu(node: &mut Node<'_>) -> TractResult<TVec<OutletId>> {
    let input = node.input(0)?;
    let diagonal = match node.optional(1) {
        Some(outlet) => node.cast(outlet, i64::datum_type())?,
        None => node.add_constant(tensor0(0i64))?,
    };
    let upper = node.proto.int("upper", 1) != 0;
    Ok(tvec!(node.wire(Trilu { upper }, &[input, diagonal])?))
}
