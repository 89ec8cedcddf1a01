//! A file whose bytes JavaScript holds.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use js_sys::{Function, Uint8Array};
use multivec_graph::{Bytes, Error, Result};
use serde::Deserialize;
use serde_wasm_bindgen::preserve;
use wasm_bindgen::{JsCast, JsValue};

/// Bytes that are copied at once. Each copy is a call to JavaScript, which may
/// read from a disk.
const PART: usize = 1 << 18;

/// Bytes outside of this module's memory, copied in part by part.
#[derive(Deserialize)]
pub(super) struct PartedFile {
    /// Where it is in the model's folder.
    pub(super) path: String,
    size: f64,
    /// `read(start, end)` gives a `Uint8Array`.
    #[serde(with = "preserve")]
    read: Function,
}

impl PartedFile {
    pub(super) fn size(&self) -> u64 {
        self.size as u64
    }

    pub(super) fn reader(&self) -> impl Read + Seek {
        BufReader::with_capacity(PART, Reader { file: self, at: 0 })
    }

    /// Copies bytes that are known to be in the file.
    pub(super) fn read(&self, start: u64, end: u64) -> Result<Bytes> {
        let part = self.part(start, end);
        let part = part.map_err(|source| Error::io(&self.path, "reading", source))?;
        Ok(part.to_vec().into())
    }

    fn part(&self, start: u64, end: u64) -> io::Result<Uint8Array> {
        let (start, end) = (start as f64, end as f64);
        let found = self.read.call2(&JsValue::NULL, &start.into(), &end.into());
        let found = found.and_then(JsCast::dyn_into::<Uint8Array>);
        let part = found.map_err(|error| {
            let error = error.dyn_ref::<js_sys::Error>();
            let message = error.map(|error| String::from(error.message()));
            io::Error::other(message.unwrap_or_else(|| "expected bytes".to_owned()))
        })?;
        if f64::from(part.length()) != end - start {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(part)
    }
}

/// Reads a file from its beginning.
struct Reader<'a> {
    file: &'a PartedFile,
    at: u64,
}

impl Read for Reader<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let left = self.file.size().saturating_sub(self.at);
        let count = left.min(into.len() as u64);
        if count > 0 {
            let part = self.file.part(self.at, self.at + count)?;
            part.copy_to(&mut into[..count as usize]);
            self.at += count;
        }
        Ok(count as usize)
    }
}

impl Seek for Reader<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.file.size(), by),
        };
        let at = from.checked_add_signed(by);
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
