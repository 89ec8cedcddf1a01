//! Tables whose rows are looked up by token or position.

use super::Replacement;
use crate::node::node;
use crate::onnx::{FLOAT, INT8, INT64, NodeProto, TensorProto, UINT8};
use crate::operators::{DOMAIN, EMBEDDING};
use crate::trace::{Tensor, Trace};

/// [`EMBEDDING`] in place of the nodes around a `Gather` from a constant matrix.
pub(super) fn find(trace: &Trace<'_>, gather: &NodeProto) -> Option<Replacement> {
    let index = trace.index();
    let [data, ids] = gather.input.as_slice() else {
        return None;
    };
    let rows = gather.output.first()?;
    let axis = gather.int("axis", 0);
    // Other lookups are left to traces, which compute them.
    if !gather.is("Gather") || !(axis == 0 || axis == -2) || !trace.is_opaque(rows) {
        return None;
    }
    let dequantized = index.made_by(data, "DequantizeLinear");
    let name = dequantized.map_or(Some(data), |node| node.input.first())?;
    let table = index.constant(name).filter(|table| table.dims.len() == 2)?;
    let lookup = match (table.data_type?, dequantized) {
        (FLOAT, None) => Lookup {
            output: rows,
            scales: "",
            zero_points: "",
            axis: 0,
        },
        (INT8 | UINT8, Some(node)) => {
            let axis = match node.int("axis", 1) {
                0 | -2 => Some(0),
                1 | -1 => Some(1),
                _ => None,
            };
            // The lookup comes after, and its rows are the result.
            Lookup {
                output: rows,
                ..dequantize(trace, table, node, axis)?
            }
        }
        (INT8 | UINT8, None) => dequantized_rows(trace, table, gather)?,
        _ => return None,
    };
    let mut nodes = Vec::new();
    let mut ids_64 = ids.clone();
    // A trace does not know how wide the integers are whose elements it
    // computed.
    if !matches!(trace.get(ids), Some(Tensor::Opaque(INT64, _))) {
        ids_64 = format!("{}.ids", lookup.output);
        let cast = node("Cast", "", &[ids], &[&ids_64]);
        nodes.push(cast.with_int("to", INT64.into()));
    }
    let mut inputs = vec![ids_64.as_str(), name, lookup.scales, lookup.zero_points];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let embedding = node(EMBEDDING, DOMAIN, &inputs, &[lookup.output]);
    nodes.push(embedding.with_int("axis", lookup.axis));
    Some(Replacement {
        output: lookup.output.to_owned(),
        nodes,
    })
}

pub(super) fn is_quantized(embedding: &NodeProto) -> bool {
    is_embedding(embedding) && embedding.input.len() > 2
}

pub(super) fn is_embedding(node: &NodeProto) -> bool {
    node.is_ours(EMBEDDING)
}

/// A lookup, and how its quantized values become floats. Names are empty for
/// absent parts.
struct Lookup<'g> {
    output: &'g str,
    scales: &'g str,
    zero_points: &'g str,
    /// The axis of the table that scales belong to.
    axis: i64,
}

/// Quantized rows that become floats after the lookup `gather`.
fn dequantized_rows<'g>(
    trace: &Trace<'g>,
    table: &TensorProto,
    gather: &NodeProto,
) -> Option<Lookup<'g>> {
    let index = trace.index();
    let rows = gather.output.first()?;
    let reader = index.data_reader(rows)?;
    if reader.is("DequantizeLinear") {
        // Of the table's axes, rows only have the last one.
        let rank = trace.shape(rows)?.len() as i64;
        let axis = reader.int("axis", 1);
        let axis = if axis < 0 { axis + rank } else { axis };
        return dequantize(trace, table, reader, (axis == rank - 1).then_some(1));
    }
    let is_cast = reader.is("Cast") && reader.int("to", 0) == i64::from(FLOAT);
    let floats = reader.output.first().filter(|_| is_cast)?;
    let product = index.reader(floats).filter(|node| node.is("Mul"))?;
    let scales = product.other_operand(floats)?;
    let (scales, axis) = match index.producer(scales) {
        // The scale of each row is looked up by the same ids.
        Some(lookup) => {
            let [scales, ids] = lookup.input.as_slice() else {
                return None;
            };
            let is_same = lookup.is("Gather")
                && gather.input.get(1) == Some(ids)
                && lookup.int("axis", 0) == 0;
            let tensor = index.constant(scales)?;
            let is_column = tensor.data_type == Some(FLOAT) && tensor.dims == [table.dims[0], 1];
            (is_same && is_column).then_some((scales.as_str(), 0))?
        }
        None => (scales, scaled_axis(trace, table, scales, Some(1))?),
    };
    Some(Lookup {
        output: product.output.first()?,
        scales,
        zero_points: "",
        axis,
    })
}

/// The lookup whose table, or whose rows, `node` dequantizes. `axis` is the axis
/// of the table that the axis of `node` is, if it is one.
fn dequantize<'g>(
    trace: &Trace<'g>,
    table: &TensorProto,
    node: &'g NodeProto,
    axis: Option<usize>,
) -> Option<Lookup<'g>> {
    let index = trace.index();
    if node.int("block_size", 0) != 0 {
        return None;
    }
    let scales = node.input.get(1)?;
    let axis = scaled_axis(trace, table, scales, axis)?;
    let zero_points = node.input.get(2).map_or("", String::as_str);
    if !zero_points.is_empty() {
        let tensor = index.constant(zero_points)?;
        let fits =
            tensor.data_type == table.data_type && tensor.dims == index.constant(scales)?.dims;
        fits.then_some(())?;
    }
    Some(Lookup {
        output: node.output.first()?,
        scales,
        zero_points,
        axis,
    })
}

/// The axis that constant scales belong to: `axis`, if there is a scale for each
/// position along it, or any if there is a single scale.
fn scaled_axis(
    trace: &Trace<'_>,
    table: &TensorProto,
    scales: &str,
    axis: Option<usize>,
) -> Option<i64> {
    let scales = trace.index().constant(scales)?;
    (scales.data_type == Some(FLOAT)).then_some(())?;
    match (scales.dims.as_slice(), axis) {
        ([] | [1], _) => Some(0),
        (&[count], Some(axis)) if count == table.dims[axis] => Some(axis as i64),
        _ => None,
    }
}
