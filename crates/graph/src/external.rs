//! Weights that are kept in files beside the graph.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write};

use prost::bytes::Bytes;

use super::Graph;
use super::onnx::{EXTERNAL, GraphProto, StringStringEntryProto, TensorProto};
use super::scan::SMALL;
use crate::Result;

impl Graph {
    /// The files that hold weights of this graph, as it names them: paths
    /// relative to the graph's own folder, sorted.
    pub fn external_files(&self) -> BTreeSet<&str> {
        let mut files = BTreeSet::new();
        collect(&self.graph, &mut files);
        files
    }
}

/// Where a graph without weights says that they are: in the published one.
const ORIGINAL: &str = "original";
/// Tensors of fewer bytes stay in the graph.
const KEPT: usize = 1 << 10;

impl Graph {
    /// Reads small tensors that are in files of their own, so that passes see
    /// them.
    ///
    /// # Errors
    /// Those of `external`, which reads a tensor.
    pub fn read_small(&mut self, external: &External<'_>) -> Result<()> {
        for tensor in &mut self.graph.initializer {
            let length = place(tensor).and_then(|place| place.length);
            if length.is_some_and(|length| length <= SMALL as u64) {
                let bytes = external(tensor)?;
                embed_bytes(tensor, bytes);
            }
        }
        Ok(())
    }

    /// The graph without the large tensors that `published` has too, by name.
    #[must_use]
    pub fn without_weights_of(mut self, published: &Self) -> Self {
        let held = by_name(published);
        for tensor in &mut self.graph.initializer {
            let is_large = match &tensor.raw_data {
                Some(raw) => raw.len() > KEPT,
                None => tensor.data_location == Some(EXTERNAL),
            };
            let same = held.get(tensor.name.as_deref().unwrap_or_default());
            if is_large && same.is_some_and(|same| *same == tensor) {
                tensor.raw_data = None;
                tensor.data_location = Some(EXTERNAL);
                tensor.external_data = vec![entry("location", ORIGINAL)];
            }
        }
        self
    }

    /// Gives a graph back what [`without_weights_of`](Self::without_weights_of)
    /// took. `None` if `published` is another graph.
    pub fn with_weights_of(mut self, published: &Self) -> Option<Self> {
        let held = by_name(published);
        for tensor in &mut self.graph.initializer {
            if location(tensor) == Some(ORIGINAL) {
                let same = held.get(tensor.name.as_deref()?)?;
                let fits = same.dims == tensor.dims && same.data_type == tensor.data_type;
                *tensor = fits.then(|| (*same).clone())?;
            }
        }
        Some(self)
    }
}

/// Reads tensors whose bytes are not in the graph.
pub type External<'a> = dyn Fn(&TensorProto) -> Result<Bytes> + 'a;

/// Lets a tensor hold its bytes itself.
pub fn embed_bytes(tensor: &mut TensorProto, bytes: Bytes) {
    tensor.external_data.clear();
    tensor.data_location = None;
    tensor.raw_data = Some(bytes);
}

fn by_name(graph: &Graph) -> HashMap<&str, &TensorProto> {
    let named = |tensor: &'_ TensorProto| tensor.name.is_some();
    let tensors = graph
        .graph
        .initializer
        .iter()
        .filter(|tensor| named(tensor));
    tensors
        .map(|tensor| (tensor.name.as_deref().unwrap_or_default(), tensor))
        .collect()
}

/// Where in a file the bytes of a tensor are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The file, relative to the graph's own folder.
    pub file: &'a str,
    /// The first byte.
    pub offset: u64,
    /// How many bytes; to the end of the file where it is not said.
    pub length: Option<u64>,
}

/// The place of a tensor whose bytes are not in the graph.
pub fn place(tensor: &TensorProto) -> Option<Place<'_>> {
    let entry = |key: &str| {
        let mut entries = tensor.external_data.iter();
        let entry = entries.find(|entry| entry.key.as_deref() == Some(key))?;
        entry.value.as_deref()
    };
    Some(Place {
        file: location(tensor)?,
        offset: entry("offset").map_or(Some(0), |offset| offset.parse().ok())?,
        length: match entry("length") {
            Some(length) => Some(length.parse().ok()?),
            None => None,
        },
    })
}

/// The bytes of a tensor of floats or 8-bit integers, wherever they are.
///
/// # Errors
/// Those of `external`, which reads tensors that are in another file.
pub fn tensor_bytes(tensor: &TensorProto, external: &External<'_>) -> Result<Bytes> {
    if tensor.data_location == Some(EXTERNAL) {
        return external(tensor);
    }
    Ok(match &tensor.raw_data {
        Some(raw) => raw.clone(),
        None if !tensor.float_data.is_empty() => {
            let bytes = tensor
                .float_data
                .iter()
                .flat_map(|value| value.to_le_bytes());
            bytes.collect::<Vec<u8>>().into()
        }
        // Small integers are written one by one in 32 bits.
        None => {
            let bytes = tensor.int32_data.iter().map(|&value| value as u8);
            bytes.collect::<Vec<u8>>().into()
        }
    })
}

/// A file of weights in the making, to be kept beside a graph.
pub struct WeightsWriter<W> {
    /// How tensors name the file, relative to the graph's own folder.
    name: String,
    out: W,
    written: u64,
}

/// Tensors start at multiples of it, so that engines can map them.
const PAGE: u64 = 4096;

impl<W: Write> WeightsWriter<W> {
    /// A file that is empty so far, under the name that graphs will use.
    pub fn new(name: &str, out: W) -> Self {
        Self {
            name: name.to_owned(),
            out,
            written: 0,
        }
    }

    /// Writes the bytes of a tensor, and lets the tensor name their place in
    /// place of holding any.
    ///
    /// # Errors
    /// Those of the file.
    pub fn add(&mut self, tensor: &mut TensorProto, bytes: &[u8]) -> io::Result<()> {
        let start = self.written.next_multiple_of(PAGE);
        // Less than a page.
        let gap = (start - self.written) as usize;
        self.out.write_all(&[0; PAGE as usize][..gap])?;
        self.out.write_all(bytes)?;
        self.written = start + bytes.len() as u64;
        *tensor = TensorProto {
            name: tensor.name.take(),
            dims: std::mem::take(&mut tensor.dims),
            data_type: tensor.data_type,
            doc_string: tensor.doc_string.take(),
            data_location: Some(EXTERNAL),
            external_data: vec![
                entry("location", &self.name),
                entry("offset", &start.to_string()),
                entry("length", &bytes.len().to_string()),
            ],
            ..TensorProto::default()
        };
        Ok(())
    }

    /// Bytes so far, gaps included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The file, to be closed.
    pub fn into_inner(self) -> W {
        self.out
    }
}

pub(super) fn entry(key: &str, value: &str) -> StringStringEntryProto {
    StringStringEntryProto {
        key: Some(key.to_owned()),
        value: Some(value.to_owned()),
    }
}

fn collect<'a>(graph: &'a GraphProto, files: &mut BTreeSet<&'a str>) {
    files.extend(graph.initializer.iter().filter_map(location));
    for attribute in graph.node.iter().flat_map(|node| &node.attribute) {
        let tensors = attribute.t.iter().chain(&attribute.tensors);
        files.extend(tensors.filter_map(location));
        for graph in attribute.g.iter().chain(&attribute.graphs) {
            collect(graph, files);
        }
    }
}

fn location(tensor: &TensorProto) -> Option<&str> {
    let entry = tensor
        .external_data
        .iter()
        .find(|entry| entry.key.as_deref() == Some("location"))?;
    entry.value.as_deref()
}
