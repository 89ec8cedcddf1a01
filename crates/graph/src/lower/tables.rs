//! Embeddings: tables taken out of a graph, or in standard operators.

use std::collections::HashMap;
use std::sync::Arc;

use prost::bytes::Bytes;

use super::super::Graph;
use super::super::clean::remove_unused_initializers;
use super::super::external::{External, tensor_bytes};
use super::super::onnx::{EXTERNAL, FLOAT, NodeProto, TensorProto, UINT8};
use super::super::values::elements;
use super::parts::Parts;
use crate::{Error, Result};
use multivec_kernels::{Embedding, Levels, Scaled, WeightType};

/// The operator that stands for an embedding whose table was taken out.
///
/// `PackedEmbedding(ids)`; attributes: `table`, its position in the list of
/// [`pack_embeddings`], and `columns` of the result.
pub const PACKED_EMBEDDING: &str = "PackedEmbedding";

/// Takes the tables of `Embedding`s out of a graph, each once. `external`
/// reads tensors whose bytes are in another file.
///
/// # Errors
/// [`Error::InvalidModel`] for tables that cannot be read.
pub fn pack_embeddings(
    graph: &mut Graph,
    file: &str,
    external: &External<'_>,
) -> Result<Vec<Arc<Embedding>>> {
    let mut tables: Vec<Arc<Embedding>> = Vec::new();
    let mut places = HashMap::new();
    let mut nodes = std::mem::take(&mut graph.proto_mut().node);
    for node in &mut nodes {
        if !node.is_ours("Embedding") {
            continue;
        }
        let tensors = node.input.get(1..).unwrap_or_default();
        let key = (tensors.to_vec(), node.int("axis", 0));
        let at = match places.get(&key) {
            Some(&at) => at,
            None => {
                let table = read(graph, node, external)?.ok_or_else(|| misfit(file, node))?;
                tables.push(Arc::new(table));
                places.insert(key, tables.len() - 1);
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
    remove_unused_initializers(graph);
    Ok(tables)
}

fn read(graph: &Graph, node: &NodeProto, external: &External<'_>) -> Result<Option<Embedding>> {
    let tensor = |at: usize| graph.initializer(node.input.get(at)?);
    let bytes = |at: usize| match tensor(at) {
        Some(tensor) => owned(tensor, external),
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
        Some(_) => Some(Levels {
            weight_type: match table.data_type {
                Some(UINT8) => WeightType::Uint8,
                _ => WeightType::Int8,
            },
            scaled: match node.int("axis", 0) {
                1 => Scaled::Columns,
                _ => Scaled::Rows,
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

/// The bytes of a tensor, which hold no others.
fn owned(tensor: &TensorProto, external: &External<'_>) -> Result<Bytes> {
    let bytes = tensor_bytes(tensor, external)?;
    Ok(match tensor.data_location == Some(EXTERNAL) {
        true => bytes,
        // A part of the whole model, which would stay.
        false => Bytes::copy_from_slice(&bytes),
    })
}

fn misfit(file: &str, node: &NodeProto) -> Error {
    Error::InvalidModel {
        file: file.to_owned(),
        source: format!(
            "expected a table, scales and zero points that fit each other in the embedding `{}`",
            node.output.concat()
        )
        .into(),
    }
}

/// Writes the lookup, and what makes floats of its levels.
pub(super) fn lower(embedding: &NodeProto, graph: &Graph, parts: &mut Parts) {
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
    let mut result = parts.add("Gather", &[table, ids]);
    if !scales.is_empty() {
        result = floats(&result, parts);
        // One a row is looked up as well, and made a column.
        let along = |values: &str, parts: &mut Parts| match by_row {
            true => {
                let column = parts.ints(&[-1, 1]);
                let values = parts.add("Reshape", &[values, &column]);
                parts.add("Gather", &[&values, ids])
            }
            false => values.to_owned(),
        };
        if !zeros.is_empty() {
            let zeros = along(zeros, parts);
            let zeros = floats(&zeros, parts);
            result = parts.add("Sub", &[&result, &zeros]);
        }
        let scales = along(scales, parts);
        result = parts.add("Mul", &[&result, &scales]);
    }
    parts.rename(&result, &embedding.output.concat());
}

fn floats(value: &str, parts: &mut Parts) -> String {
    parts.add_with("Cast", &[value], |node| node.with_int("to", FLOAT.into()))
}
