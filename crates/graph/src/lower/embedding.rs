//! Embeddings: tables for our kernels, or standard operators.

use std::collections::HashMap;
use std::sync::Arc;

use prost::bytes::Bytes;

use crate::builder::Builder;
use crate::error::{Error, Result};
use crate::external::{ExternalReader, tensor_bytes};
use crate::graph::Graph;
use crate::node::elements;
use crate::onnx::{EXTERNAL, FLOAT, NodeProto, TensorProto, UINT8};
use crate::operators::{EMBEDDING, PACKED_EMBEDDING};
use multivec_kernels::{Embedding, ScaleAxis, TableQuantization, WeightType};

/// Takes the tables of embeddings out of a graph and returns them, each once;
/// [`PACKED_EMBEDDING`] takes the place of [`EMBEDDING`]. `file` names the model
/// in errors; `external` reads tensors of other files.
///
/// # Errors
/// The errors of `external`, and [`Error::InvalidModel`] if a table and its
/// scales do not fit each other.
pub fn pack_embeddings(
    graph: &mut Graph,
    file: &str,
    external: &ExternalReader<'_>,
) -> Result<Vec<Arc<Embedding>>> {
    let mut tables: Vec<Arc<Embedding>> = Vec::new();
    let mut positions = HashMap::new();
    let mut nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in &mut nodes {
        if !node.is_ours(EMBEDDING) {
            continue;
        }
        let tensors = node.input.get(1..).unwrap_or_default();
        let key = (tensors.to_vec(), node.int("axis", 0));
        let at = match positions.get(&key) {
            Some(&at) => at,
            None => {
                let table = read(graph, node, external)?.ok_or_else(|| misfit(file, node))?;
                tables.push(Arc::new(table));
                positions.insert(key, tables.len() - 1);
                tables.len() - 1
            }
        };
        node.input.truncate(1);
        node.op_type = Some(PACKED_EMBEDDING.to_owned());
        node.attribute.clear();
        *node = std::mem::take(node)
            .with_int("table", at as i64)
            .with_int("columns", tables[at].columns() as i64);
    }
    graph.proto_mut().node = nodes;
    graph.remove_unused_initializers();
    Ok(tables)
}

fn read(
    graph: &Graph,
    node: &NodeProto,
    external: &ExternalReader<'_>,
) -> Result<Option<Embedding>> {
    let tensor = |at: usize| graph.initializer(node.input.get(at)?);
    let bytes = |at: usize| match tensor(at) {
        Some(tensor) => owned_bytes(tensor, external),
        None => Ok(Bytes::new()),
    };
    let Some(table) = tensor(1) else {
        return Ok(None);
    };
    let &[rows, columns] = table.dims.as_slice() else {
        return Ok(None);
    };
    let size = |dim: i64| usize::try_from(dim).unwrap_or(0);
    let levels = match tensor(2) {
        None => None,
        Some(_) => Some(TableQuantization {
            weight_type: match table.data_type {
                Some(UINT8) => WeightType::Uint8,
                _ => WeightType::Int8,
            },
            axis: match node.int("axis", 0) {
                1 => ScaleAxis::Columns,
                _ => ScaleAxis::Rows,
            },
            scales: elements(&bytes(2)?, f32::from_le_bytes),
            zero_points: bytes(3)?.to_vec(),
        }),
    };
    Ok(Embedding::new(
        bytes(1)?,
        [size(rows), size(columns)],
        levels,
    ))
}

/// The bytes of a tensor, in a buffer of their own.
fn owned_bytes(tensor: &TensorProto, external: &ExternalReader<'_>) -> Result<Bytes> {
    let bytes = tensor_bytes(tensor, external)?;
    Ok(if tensor.data_location == Some(EXTERNAL) {
        bytes
    } else {
        // A slice would keep the bytes of the whole model in memory.
        Bytes::copy_from_slice(&bytes)
    })
}

fn misfit(file: &str, node: &NodeProto) -> Error {
    let name = node.output.concat();
    let source = format!(
        "expected a table, scales and zero points of matching sizes in the embedding `{name}`"
    );
    Error::invalid(file, source)
}

/// Adds the lookup, and the conversion of quantized values to floats.
pub(super) fn lower(embedding: &NodeProto, graph: &Graph, builder: &mut Builder) {
    let input = |at: usize| embedding.input.get(at).map_or("", String::as_str);
    let [ids, table, scales, zeros] = [0, 1, 2, 3].map(input);
    let count = graph.initializer(scales).and_then(|scales| {
        let counts = scales
            .dims
            .iter()
            .try_fold(1i64, |all, &dim| all.checked_mul(dim));
        counts.filter(|_| embedding.int("axis", 0) == 0)
    });
    let by_row = count.is_some_and(|count| count != 1);
    let mut result = builder.add("Gather", &[table, ids]);
    if !scales.is_empty() {
        result = cast_to_floats(&result, builder);
        // If there is one for each row, it is looked up, too.
        let looked_up = |values: &str, builder: &mut Builder| {
            if !by_row {
                return values.to_owned();
            }
            let column = builder.ints(&[-1, 1]);
            let values = builder.add("Reshape", &[values, &column]);
            builder.add("Gather", &[&values, ids])
        };
        if !zeros.is_empty() {
            let zeros = looked_up(zeros, builder);
            let zeros = cast_to_floats(&zeros, builder);
            result = builder.add("Sub", &[&result, &zeros]);
        }
        let scales = looked_up(scales, builder);
        result = builder.add("Mul", &[&result, &scales]);
    }
    builder.rename(&result, &embedding.output.concat());
}

fn cast_to_floats(value: &str, builder: &mut Builder) -> String {
    builder.add_with("Cast", &[value], |node| node.with_int("to", FLOAT.into()))
}
