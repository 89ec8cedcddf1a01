//! Weights in other files than the graph.

mod fields;
mod original;
mod scan;
mod stored;
mod writer;

use std::collections::BTreeSet;

use prost::bytes::Bytes;

use crate::error::Result;
use crate::graph::Graph;
use crate::onnx::{EXTERNAL, GraphProto, StringStringEntryProto, TensorProto};
pub use stored::{StoredType, widen_stored};
pub use writer::WeightsWriter;

/// Bytes of the largest tensor that is read together with the graph. Those
/// whose elements passes look at are smaller.
const SMALL: usize = 1 << 17;

/// The key of external tensors for their [`StoredType`].
const STORED: &str = "stored";

/// Reads the bytes of a tensor that are in another file than the graph.
pub type ExternalReader<'a> = dyn Fn(&TensorProto) -> Result<Bytes> + 'a;

impl Graph {
    /// The files that hold weights of this graph, as it names them: paths
    /// relative to the graph's own folder, sorted.
    pub fn external_files(&self) -> BTreeSet<&str> {
        let mut files = BTreeSet::new();
        collect_files(self.proto(), &mut files);
        files
    }

    /// Reads small tensors that are in other files, so that passes see them.
    ///
    /// # Errors
    /// The errors of `external`.
    pub fn read_small(&mut self, external: &ExternalReader<'_>) -> Result<()> {
        for tensor in &mut self.proto_mut().initializer {
            let length = ExternalLocation::of(tensor).and_then(|location| location.length);
            if length.is_some_and(|length| length <= SMALL as u64) {
                let bytes = external(tensor)?;
                embed_bytes(tensor, bytes);
            }
        }
        Ok(())
    }
}

fn collect_files<'a>(graph: &'a GraphProto, files: &mut BTreeSet<&'a str>) {
    files.extend(graph.initializer.iter().filter_map(file));
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        let tensors = attribute.t.iter().chain(&attribute.tensors);
        files.extend(tensors.filter_map(file));
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            collect_files(graph, files);
        }
    }
}

/// Where the bytes of a tensor are, if they are in another file than the graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExternalLocation<'a> {
    /// The file, relative to the graph's own folder.
    pub file: &'a str,
    /// The position of the first byte.
    pub offset: u64,
    /// The number of bytes in the file; `None` for all up to its end.
    pub length: Option<u64>,
    /// How the file stores the elements, see [`widen_stored`].
    pub stored: StoredType,
}

impl<'a> ExternalLocation<'a> {
    /// The location that a tensor names; `None` if its bytes are in the graph,
    /// its offset or length is not a number, or its stored type is not known.
    pub fn of(tensor: &'a TensorProto) -> Option<Self> {
        Some(Self {
            file: file(tensor)?,
            offset: entry(tensor, "offset").map_or(Some(0), |offset| offset.parse().ok())?,
            length: match entry(tensor, "length") {
                Some(length) => Some(length.parse().ok()?),
                None => None,
            },
            stored: match entry(tensor, STORED) {
                Some(name) => StoredType::named(name)?,
                None => StoredType::Float32,
            },
        })
    }

    /// Makes a tensor refer to its bytes in a file. Bytes that it holds stay.
    pub(crate) fn write_to(self, tensor: &mut TensorProto) {
        let mut entries = vec![
            ("location", self.file.to_owned()),
            ("offset", self.offset.to_string()),
        ];
        entries.extend(self.length.map(|length| ("length", length.to_string())));
        // Not in the standard, hence left out where it says nothing.
        if self.stored != StoredType::Float32 {
            entries.push((STORED, self.stored.to_string()));
        }
        tensor.data_location = Some(EXTERNAL);
        tensor.external_data = entries
            .into_iter()
            .map(|(key, value)| StringStringEntryProto {
                key: Some(key.to_owned()),
                value: Some(value),
            })
            .collect();
    }
}

fn file(tensor: &TensorProto) -> Option<&str> {
    entry(tensor, "location")
}

fn entry<'a>(tensor: &'a TensorProto, key: &str) -> Option<&'a str> {
    let mut entries = tensor.external_data.iter();
    let entry = entries.find(|entry| entry.key.as_deref() == Some(key))?;
    entry.value.as_deref()
}

/// Stores the bytes of a tensor in the tensor itself.
pub fn embed_bytes(tensor: &mut TensorProto, bytes: Bytes) {
    tensor.external_data.clear();
    tensor.data_location = None;
    tensor.raw_data = Some(bytes);
}

/// The little-endian bytes of a tensor of 32-bit floats or 8-bit integers,
/// whether they are in the graph or in another file.
///
/// # Errors
/// The errors of `external`, which reads tensors of other files.
pub fn tensor_bytes(tensor: &TensorProto, external: &ExternalReader<'_>) -> Result<Bytes> {
    if tensor.data_location == Some(EXTERNAL) {
        return external(tensor);
    }
    if let Some(raw) = &tensor.raw_data {
        return Ok(raw.clone());
    }
    let floats = tensor.float_data.iter();
    let bytes: Vec<u8> = if floats.len() > 0 {
        floats.flat_map(|value| value.to_le_bytes()).collect()
    } else {
        // ONNX stores each 8-bit integer in a field of 32 bits.
        tensor.int32_data.iter().map(|&value| value as u8).collect()
    };
    Ok(bytes.into())
}
