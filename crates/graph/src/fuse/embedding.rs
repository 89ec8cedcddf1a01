//! Tables whose rows are looked up by token or position.

use super::super::Graph;
use super::super::node::node;
use super::super::onnx::{FLOAT, INT8, INT64, NodeProto, TensorProto, UINT8};
use super::super::trace::{Tensor, Trace};
use super::layer_norm::other;
use super::{DOMAIN, Links, Replacement, constant};

/// `Embedding` in place of the nodes around a `Gather` from a constant matrix.
///
/// `Embedding(ids, table, scales?, zero_points?)`: the rows of the table,
/// `[rows, columns]`, of those numbers, `[..., columns]`. Numbers are 64-bit
/// integers, negative ones count from the end. The table is of floats, or of
/// 8 bits where there are scales: then rows are `(levels - zero_points) *
/// scales`, with one scale and zero point for all, or one for each place along
/// the `axis`, 0 for rows and 1 for columns.
pub(super) fn find(
    graph: &Graph,
    links: &Links<'_>,
    trace: &Trace<'_>,
    gather: &NodeProto,
) -> Option<Replacement> {
    let [data, ids] = gather.input.as_slice() else {
        return None;
    };
    let rows = gather.output.first()?;
    let axis = gather.int("axis", 0);
    // What does not depend on texts is known to those who read it.
    if !gather.is("Gather") || !(axis == 0 || axis == -2) || !trace.is_opaque(rows) {
        return None;
    }
    let site = Site {
        graph,
        links,
        trace,
    };
    let dequantized = links
        .producer(data)
        .filter(|node| node.is("DequantizeLinear"));
    let name = dequantized.map_or(Some(data), |node| node.input.first())?;
    let table = constant(graph, links, name).filter(|table| table.dims.len() == 2)?;
    let found = match (table.data_type?, dequantized) {
        (FLOAT, None) => Found {
            output: rows,
            scales: "",
            zeros: "",
            axis: 0,
        },
        (INT8 | UINT8, Some(node)) => site.dequantized(table, node, rows, node.int("axis", 1))?,
        (INT8 | UINT8, None) => site.levels(table, ids, rows)?,
        _ => return None,
    };
    let mut nodes = Vec::new();
    let mut numbers = ids.clone();
    // A trace does not tell the widths of integers that it knows.
    if !matches!(trace.get(ids), Some(Tensor::Opaque(INT64, _))) {
        numbers = format!("{}.ids", found.output);
        let cast = node("Cast", "", &[ids], &[&numbers]);
        nodes.push(cast.with_int("to", INT64.into()));
    }
    let mut inputs = vec![numbers.as_str(), name, found.scales, found.zeros];
    while inputs.last() == Some(&"") {
        inputs.pop();
    }
    let lookup = node("Embedding", DOMAIN, &inputs, &[found.output]);
    nodes.push(lookup.with_int("axis", found.axis));
    Some(Replacement {
        output: found.output.to_owned(),
        nodes,
    })
}

pub(super) fn is_quantized(embedding: &NodeProto) -> bool {
    is_embedding(embedding) && embedding.input.len() > 2
}

pub(super) fn is_embedding(node: &NodeProto) -> bool {
    node.is_ours("Embedding")
}

/// Rows of floats, and what their levels stand for.
struct Found<'g> {
    output: &'g str,
    scales: &'g str,
    zeros: &'g str,
    axis: i64,
}

struct Site<'s, 'g> {
    graph: &'g Graph,
    links: &'s Links<'g>,
    trace: &'s Trace<'g>,
}

impl<'g> Site<'_, 'g> {
    /// Levels that become floats after the lookup.
    fn levels(&self, table: &TensorProto, ids: &str, rows: &str) -> Option<Found<'g>> {
        let reader = self.links.data_reader(rows)?;
        if reader.is("DequantizeLinear") {
            // Of rows only the columns are as before.
            let rank = self.trace.shape(rows)?.len() as i64;
            let axis = reader.int("axis", 1);
            let axis = if axis < 0 { axis + rank } else { axis };
            let axis = if axis == rank - 1 { 1 } else { -1 };
            return self.dequantized(table, reader, reader.output.first()?, axis);
        }
        let is_cast = reader.is("Cast") && reader.int("to", 0) == i64::from(FLOAT);
        let floats = reader.output.first().filter(|_| is_cast)?;
        let product = self.links.reader(floats).filter(|node| node.is("Mul"))?;
        let scales = other(&product.input, floats)?;
        let found = |scales: &'g str, axis| {
            Some(Found {
                output: product.output.first()?,
                scales,
                zeros: "",
                axis,
            })
        };
        // A scale a row is looked up as well.
        match self.links.producer(scales) {
            Some(lookup) => {
                let [scales, by] = lookup.input.as_slice() else {
                    return None;
                };
                let is_same = lookup.is("Gather") && by == ids && lookup.int("axis", 0) == 0;
                let held = constant(self.graph, self.links, scales)?;
                let is_column = held.data_type == Some(FLOAT) && held.dims == [table.dims[0], 1];
                found(scales, 0).filter(|_| is_same && is_column)
            }
            None => {
                let axis = self.axis_of(table, scales, 1)?;
                found(scales, axis)
            }
        }
    }

    /// What a `DequantizeLinear` along that axis of the table does to it.
    fn dequantized(
        &self,
        table: &TensorProto,
        node: &'g NodeProto,
        output: &'g str,
        axis: i64,
    ) -> Option<Found<'g>> {
        if node.int("block_size", 0) != 0 {
            return None;
        }
        let scales = node.input.get(1)?;
        let axis = if axis == -2 { 0 } else { axis };
        let axis = self.axis_of(table, scales, if axis == -1 { 1 } else { axis })?;
        let zeros = node.input.get(2).map_or("", String::as_str);
        if !zeros.is_empty() {
            let held = constant(self.graph, self.links, zeros)?;
            let scales = constant(self.graph, self.links, scales)?;
            let fits = held.data_type == table.data_type && held.dims == scales.dims;
            fits.then_some(())?;
        }
        Some(Found {
            output,
            scales,
            zeros,
            axis,
        })
    }

    /// The axis along which there is a scale for each place, if there is one
    /// for each, or for all.
    fn axis_of(&self, table: &TensorProto, scales: &str, axis: i64) -> Option<i64> {
        let scales = constant(self.graph, self.links, scales)?;
        let is_floats = scales.data_type == Some(FLOAT);
        match (scales.dims.as_slice(), axis) {
            ([] | [1], _) => Some(0),
            (&[count], 0 | 1) if count == table.dims[axis as usize] => Some(axis),
            _ => None,
        }
        .filter(|_| is_floats)
    }
}
