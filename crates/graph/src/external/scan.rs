//! Reading a model file without its weights.

use std::io::{self, ErrorKind, Read, Seek};

use prost::Message;

use super::fields::{FieldReader, invalid};
use super::{ExternalLocation, SMALL, StoredType};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::onnx::{EXTERNAL, GraphProto, ModelProto, TensorProto};

// Field numbers of `onnx.proto`.
const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_RAW_DATA: u64 = 9;

impl Graph {
    /// Reads a model file without its large weights, which refer to their
    /// bytes in it as ONNX refers to weights in other files. `location` is how
    /// they name the file; `file` names it in errors.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, [`Error::InvalidModel`] if it
    /// is not an ONNX model.
    pub fn scan(file: &str, location: &str, reader: impl Read + Seek) -> Result<Self> {
        scan(reader, location).map_err(|error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Error::invalid(file, error),
            _ => Error::io(file, "reading", error),
        })
    }
}

fn scan(reader: impl Read + Seek, location: &str) -> io::Result<Graph> {
    let mut fields = FieldReader::new(reader)?;
    let (mut model, mut graph, mut tensors) = (Vec::new(), None, Vec::new());
    while fields.position() < fields.end() {
        let field = fields.field(fields.end())?;
        if !field.is_message(MODEL_GRAPH) {
            fields.copy(&field, &mut model)?;
            continue;
        }
        let graph = graph.get_or_insert_with(Vec::new);
        while fields.position() < field.end {
            let inner = fields.field(field.end)?;
            if inner.is_message(GRAPH_INITIALIZER) {
                tensors.push(tensor(&mut fields, inner.end, location)?);
            } else {
                fields.copy(&inner, graph)?;
            }
        }
    }
    let graph = graph.ok_or_else(|| invalid("expected a graph, found none"))?;
    let mut graph = GraphProto::decode(graph.as_slice()).map_err(invalid)?;
    graph.initializer = tensors;
    let model = ModelProto::decode(model.as_slice()).map_err(invalid)?;
    Ok(Graph::from_parts(model, graph))
}

/// Reads a tensor that ends at `end`; its bytes are left in the file if there
/// are many.
fn tensor<R: Read + Seek>(
    fields: &mut FieldReader<R>,
    end: u64,
    location: &str,
) -> io::Result<TensorProto> {
    let (mut tensor, mut left) = (Vec::new(), None);
    while fields.position() < end {
        let field = fields.field(end)?;
        let length = field.end - fields.position();
        if field.is_message(TENSOR_RAW_DATA) && length > SMALL as u64 {
            left = Some(ExternalLocation {
                file: location,
                offset: fields.position(),
                length: Some(length),
                stored: StoredType::Float32,
            });
            fields.skip(&field)?;
        } else {
            fields.copy(&field, &mut tensor)?;
        }
    }
    let mut tensor = TensorProto::decode(tensor.as_slice()).map_err(invalid)?;
    if let Some(location) = left
        && tensor.data_location != Some(EXTERNAL)
    {
        location.write_to(&mut tensor);
    }
    Ok(tensor)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::external::{embed_bytes, tensor_bytes};
    use crate::testing::fixture_bytes;

    const FILE: &str = "models/minilm-colbert/model_int8.onnx";

    #[test]
    fn a_graph_is_read_without_its_weights() {
        let bytes = fixture_bytes(FILE);
        let mut found = Graph::scan(FILE, "weights", Cursor::new(&bytes)).expect("a graph");
        let size = found.clone().into_bytes().len();
        assert!(size * 5 < bytes.len(), "{size}");
        let files: Vec<&str> = found.external_files().into_iter().collect();
        assert_eq!(files, ["weights"]);
        for tensor in &mut found.proto_mut().initializer {
            let Some(location) = ExternalLocation::of(tensor) else {
                continue;
            };
            let length = location.length.expect("a length") as usize;
            assert!(length > SMALL);
            let start = location.offset as usize;
            let bytes = bytes[start..start + length].to_vec();
            embed_bytes(tensor, bytes.into());
        }
        let whole = Graph::parse(FILE, bytes.into()).expect("a graph");
        assert!(found == whole);
        let none = |_: &TensorProto| panic!("all are in the graph");
        assert!((found.initializers().iter()).all(|tensor| tensor_bytes(tensor, &none).is_ok()));
    }

    #[test]
    fn what_is_not_a_model_is_refused() {
        let bytes = fixture_bytes(FILE);
        // Within the nodes, within weights, and in the last field.
        for end in [0, 1, 100, 100_000, 5_000_000, bytes.len() - 1] {
            let error = Graph::scan("cut.onnx", "weights", Cursor::new(&bytes[..end]));
            let error = error.expect_err("a part of a model");
            assert_eq!(error.code(), "invalid_model");
            assert!(error.to_string().contains("cut.onnx"), "{error}");
        }
        // A field that is longer than memory, and a number without an end.
        for bytes in [&[0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f][..], &[0xff; 40]] {
            let error = Graph::scan("odd.onnx", "weights", Cursor::new(bytes));
            assert_eq!(error.expect_err("no model").code(), "invalid_model");
        }
    }

    #[test]
    fn both_readers_accept_the_same_corrupt_files() {
        let file = "tests/fixtures/tiny-modernbert/model_int8.onnx";
        let whole = fixture_bytes(file);
        let (mut read, mut refused) = (0, 0);
        for round in 0..200 {
            let mut bytes = whole.clone();
            let at = (round * 40_503) % bytes.len().min(120_000);
            bytes[at] ^= 1 << (round % 8);
            let found = Graph::scan(file, "weights", Cursor::new(&bytes));
            let expected = Graph::parse(file, bytes.into());
            assert_eq!(found.is_ok(), expected.is_ok(), "{round}");
            match found {
                Ok(_) => read += 1,
                Err(_) => refused += 1,
            }
        }
        assert!(read > 20 && refused > 20, "{read} {refused}");
    }
}
