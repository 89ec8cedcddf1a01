//! Operators that select elements by position.

use tract_core::internal::*;
use tract_core::ops::array::{Gather, GatherElements, GatherNd, Slice, Trilu};

use super::super::node::Node;
use super::Operator;

pub(super) fn find(name: &str) -> Option<Operator> {
    Some(match name {
        "Gather" => gather,
        "GatherElements" => gather_elements,
        "GatherND" => gather_nd,
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
