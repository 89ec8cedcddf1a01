//! A file whose bytes JavaScript holds.

use std::io::{self, Read, Seek, SeekFrom};

use js_sys::Uint8Array;
use multivec_graph::onnx::TensorProto;
use multivec_graph::{Bytes, Error, ExternalLocation, Result};

/// The name under which tensors refer to the model file.
pub(super) const OWN: &str = "the model file itself";

/// Bytes outside of this module's memory, copied in piece by piece.
pub(super) struct ModelFile<'a> {
    /// For messages.
    pub(super) name: &'a str,
    pub(super) bytes: Uint8Array,
}

impl ModelFile<'_> {
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader {
            bytes: &self.bytes,
            at: 0,
        }
    }

    /// The bytes of a tensor that [`Graph::scan`] left in the file.
    ///
    /// [`Graph::scan`]: multivec_graph::Graph::scan
    pub(super) fn read(&self, tensor: &TensorProto) -> Result<Bytes> {
        let name = tensor.name.as_deref().unwrap_or_default();
        let fail = |expected: &str, found: String| {
            let source = format!("expected the tensor `{name}` {expected}, found it {found}");
            Error::invalid(self.name, source)
        };
        let beside = || fail("within the model", "in a file beside it".to_owned());
        let place = ExternalLocation::of(tensor).filter(|place| place.file == OWN);
        let place = place.ok_or_else(beside)?;
        let size = u64::from(self.bytes.length());
        let end = match place.length {
            Some(length) => place.offset.checked_add(length),
            None => Some(size),
        };
        let end = end.filter(|&end| place.offset <= end && end <= size);
        let range = end.map(|end| place.offset as u32..end as u32);
        let range = range.ok_or_else(|| {
            let expected = format!("within the {size} bytes of the file");
            fail(&expected, format!("at {}", place.offset))
        })?;
        Ok(self.bytes.subarray(range.start, range.end).to_vec().into())
    }
}

/// Reads a file from its beginning.
pub(super) struct Reader<'a> {
    bytes: &'a Uint8Array,
    at: u32,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.bytes.length().saturating_sub(self.at) as usize;
        let count = left.min(into.len());
        let end = self.at + count as u32;
        let piece = self.bytes.subarray(self.at, end);
        piece.copy_to(&mut into[..count]);
        self.at = end;
        Ok(count)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (u64::from(self.at), by),
            SeekFrom::End(by) => (u64::from(self.bytes.length()), by),
        };
        let at = from.checked_add_signed(by);
        self.at = at
            .and_then(|at| u32::try_from(at).ok())
            .ok_or(io::ErrorKind::InvalidInput)?;
        Ok(u64::from(self.at))
    }
}
