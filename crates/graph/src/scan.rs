//! Reading a model file without its weights.
//!
//! Source of the encoding: Protocol Buffers, "Encoding".

use std::io::{self, BufReader, ErrorKind, Read, Seek};

use prost::Message;

use super::Graph;
use super::external::entry;
use super::onnx::{EXTERNAL, GraphProto, ModelProto, TensorProto};
use crate::{Error, Result};

// Field numbers of `onnx.proto`.
const MODEL_GRAPH: u64 = 7;
const GRAPH_INITIALIZER: u64 = 5;
const TENSOR_RAW_DATA: u64 = 9;

/// Tensors up to so many bytes are read: what passes look into is among them.
pub const SMALL: usize = 1 << 17;

impl Graph {
    /// Reads a model file but for its large weights, which name their places
    /// in it: as ONNX has it for weights that are in a file beside the model,
    /// here in the one that is called `location`. `file` names it in messages.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be read, [`Error::InvalidModel`]
    /// for bytes that are no ONNX model.
    pub fn scan(file: &str, location: &str, reader: impl Read + Seek) -> Result<Self> {
        let fail = |error: io::Error| match error.kind() {
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => Error::InvalidModel {
                file: file.to_owned(),
                source: error.into(),
            },
            _ => Error::Io {
                path: file.to_owned(),
                action: "reading",
                source: error,
            },
        };
        let (mut model, graph) = scan(reader, location).map_err(fail)?;
        model.graph = None;
        let none = || io::Error::new(ErrorKind::InvalidData, "expected a graph, found none");
        let graph = graph.ok_or_else(none).map_err(fail)?;
        Ok(Self { model, graph })
    }
}

fn scan(
    mut reader: impl Read + Seek,
    location: &str,
) -> io::Result<(ModelProto, Option<GraphProto>)> {
    let end = reader.seek(io::SeekFrom::End(0))?;
    reader.rewind()?;
    let mut scanner = Scanner {
        reader: BufReader::new(reader),
        at: 0,
    };
    let (mut model, mut graph, mut tensors) = (Vec::new(), None, Vec::new());
    while scanner.at < end {
        let field = scanner.field(end)?;
        if !field.is_message(MODEL_GRAPH) {
            scanner.copy(&field, &mut model)?;
            continue;
        }
        let graph = graph.get_or_insert_with(Vec::new);
        while scanner.at < field.end {
            let inner = scanner.field(field.end)?;
            match inner.is_message(GRAPH_INITIALIZER) {
                true => tensors.push(scanner.tensor(inner.end, location)?),
                false => scanner.copy(&inner, graph)?,
            }
        }
    }
    let graph = match graph {
        Some(graph) => {
            let mut graph = GraphProto::decode(graph.as_slice()).map_err(invalid)?;
            graph.initializer = tensors;
            Some(graph)
        }
        None => None,
    };
    Ok((
        ModelProto::decode(model.as_slice()).map_err(invalid)?,
        graph,
    ))
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// A field whose tag was read.
struct Field {
    tag: u64,
    /// Bytes of the tag and, where there is one, the length.
    head: Vec<u8>,
    /// Where it ends in the file.
    end: u64,
}

impl Field {
    /// Whether it is of that number, and of a length of its own.
    fn is_message(&self, number: u64) -> bool {
        self.tag == number << 3 | 2
    }
}

struct Scanner<R> {
    reader: BufReader<R>,
    at: u64,
}

impl<R: Read + Seek> Scanner<R> {
    /// Reads the head of a field of a message that ends at `end`.
    fn field(&mut self, end: u64) -> io::Result<Field> {
        let mut head = Vec::new();
        let tag = self.number(&mut head)?;
        let length = match tag & 7 {
            // A number ends where its last byte is.
            0 => {
                self.number(&mut head)?;
                0
            }
            1 => 8,
            2 => self.number(&mut head)?,
            5 => 4,
            other => return Err(invalid(format!("expected a field, found the type {other}"))),
        };
        let last = self.at.checked_add(length).filter(|&last| last <= end);
        let last = last.ok_or_else(|| {
            let left = end.saturating_sub(self.at);
            invalid(format!(
                "expected a field of at most {left} bytes, found one of {length}"
            ))
        })?;
        Ok(Field {
            tag,
            head,
            end: last,
        })
    }

    fn number(&mut self, head: &mut Vec<u8>) -> io::Result<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte)?;
            self.at += 1;
            head.push(byte[0]);
            number |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(number);
            }
        }
        Err(invalid("expected a number of at most 64 bits"))
    }

    /// Reads a field to its end.
    fn copy(&mut self, field: &Field, to: &mut Vec<u8>) -> io::Result<()> {
        to.extend(&field.head);
        let length = field.end - self.at;
        let read = (&mut self.reader).take(length).read_to_end(to)?;
        self.at = field.end;
        match read as u64 == length {
            true => Ok(()),
            false => Err(ErrorKind::UnexpectedEof.into()),
        }
    }

    /// A tensor, without its bytes where they are many.
    fn tensor(&mut self, end: u64, location: &str) -> io::Result<TensorProto> {
        let (mut tensor, mut place) = (Vec::new(), None);
        while self.at < end {
            let field = self.field(end)?;
            let length = field.end - self.at;
            if field.is_message(TENSOR_RAW_DATA) && length > SMALL as u64 {
                place = Some((self.at, length));
                // Lengths of fields are bounded by the file's.
                self.reader.seek_relative(length as i64)?;
                self.at = field.end;
            } else {
                self.copy(&field, &mut tensor)?;
            }
        }
        let mut tensor = TensorProto::decode(tensor.as_slice()).map_err(invalid)?;
        if let Some((offset, length)) = place
            && tensor.data_location != Some(EXTERNAL)
        {
            tensor.data_location = Some(EXTERNAL);
            tensor.external_data = vec![
                entry("location", location),
                entry("offset", &offset.to_string()),
                entry("length", &length.to_string()),
            ];
        }
        Ok(tensor)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::super::{place, tensor_bytes};
    use super::*;

    const FILE: &str = "models/minilm-colbert/model_int8.onnx";

    fn read() -> Vec<u8> {
        let root = env!("CARGO_MANIFEST_DIR");
        std::fs::read(format!("{root}/{FILE}")).expect("the fixture can be read")
    }

    #[test]
    fn a_graph_is_read_without_its_weights() {
        let bytes = read();
        let mut found = Graph::scan(FILE, "weights", Cursor::new(&bytes)).expect("a graph");
        let lean = found.clone().into_bytes().len();
        assert!(lean * 5 < bytes.len(), "{lean}");
        let files: Vec<&str> = found.external_files().into_iter().collect();
        assert_eq!(files, ["weights"]);
        for tensor in &mut found.proto_mut().initializer {
            let Some(place) = place(tensor) else { continue };
            let length = place.length.expect("it is told") as usize;
            assert!(length > SMALL);
            let start = place.offset as usize;
            let bytes = bytes[start..start + length].to_vec();
            tensor.raw_data = Some(bytes.into());
            tensor.data_location = None;
            tensor.external_data.clear();
        }
        let whole = Graph::parse(FILE, bytes.into()).expect("a graph");
        assert!(found.graph == whole.graph && found.model == whole.model);
        let none = |_: &TensorProto| panic!("all are in the graph");
        assert!((found.initializers().iter()).all(|tensor| tensor_bytes(tensor, &none).is_ok()));
    }

    #[test]
    fn what_is_no_model_is_refused() {
        let bytes = read();
        // Cut within the nodes, within weights, and in the last field.
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

    /// Single bytes are changed; both readers agree on what is a graph.
    #[test]
    fn corrupt_files_are_read_as_any_reader_does() {
        let root = env!("CARGO_MANIFEST_DIR");
        let file = "tests/fixtures/tiny-modernbert/model_int8.onnx";
        let whole = std::fs::read(format!("{root}/{file}")).expect("the fixture can be read");
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
