//! Writing weights to a file beside the graph.

use std::io::{self, Write};

use super::{ExternalLocation, StoredType};
use crate::onnx::TensorProto;

/// Tensors start at multiples of this, so that engines can map them.
const PAGE: u64 = 4096;

/// Writes tensors to a file that is kept beside a graph.
pub struct WeightsWriter<W> {
    /// The file, relative to the graph's own folder.
    name: String,
    out: W,
    written: u64,
}

impl<W: Write> WeightsWriter<W> {
    /// Starts an empty file. `name` is its path relative to the graph's own
    /// folder.
    pub fn new(name: &str, out: W) -> Self {
        Self {
            name: name.to_owned(),
            out,
            written: 0,
        }
    }

    /// Writes the bytes of a tensor, which refers to the file from then on.
    ///
    /// # Errors
    /// The errors of the file.
    pub fn add(&mut self, tensor: &mut TensorProto, bytes: &[u8]) -> io::Result<()> {
        let start = self.written.next_multiple_of(PAGE);
        let gap = (start - self.written) as usize;
        self.out.write_all(&[0; PAGE as usize][..gap])?;
        self.out.write_all(bytes)?;
        self.written = start + bytes.len() as u64;
        *tensor = TensorProto {
            name: tensor.name.take(),
            dims: std::mem::take(&mut tensor.dims),
            data_type: tensor.data_type,
            doc_string: tensor.doc_string.take(),
            ..TensorProto::default()
        };
        let location = ExternalLocation {
            file: &self.name,
            offset: start,
            length: Some(bytes.len() as u64),
            stored: StoredType::Float32,
        };
        location.write_to(tensor);
        Ok(())
    }

    /// The number of bytes so far, gaps included.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The file, to be flushed and closed.
    pub fn into_inner(self) -> W {
        self.out
    }
}
