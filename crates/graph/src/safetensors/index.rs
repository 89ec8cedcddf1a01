//! The tensors of one or several files.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use super::header::{self, Entry, PREFIX, header_length};
use crate::error::{Error, Result};
use crate::external::{ExternalLocation, StoredType};
use crate::onnx::{FLOAT, TensorProto};
use crate::wrong_file::FILE_START;

/// Where each weight of a model is.
#[derive(Clone, Debug, Default)]
pub struct WeightIndex {
    weights: BTreeMap<String, Weight>,
    files: Vec<Arc<str>>,
}

/// A tensor in a safetensors file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Weight {
    /// The file, by the name that it was added under.
    pub file: Arc<str>,
    /// The element type as the file spells it, such as `BF16`.
    pub dtype: String,
    /// The size of each axis.
    pub shape: Vec<u64>,
    /// The position of the first byte in the file.
    pub offset: u64,
    /// The number of bytes.
    pub length: u64,
}

impl WeightIndex {
    /// An index without a file.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the tensors of a file. `file` is its path relative to the model's
    /// folder, `header` are the bytes after the first 8, as many as
    /// [`header_length`] says.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] if the header is not valid, the file's length is
    /// not what it says, or a tensor is in another file as well.
    pub fn add_file(&mut self, file: &str, header: &[u8], file_length: u64) -> Result<()> {
        let name: Arc<str> = file.into();
        let start = PREFIX + header.len() as u64;
        let mut end = start;
        for (tensor, entry) in header::parse(file, header)? {
            let weight = Weight::read(&name, &tensor, entry, start)?;
            end = end.max(weight.offset.saturating_add(weight.length));
            if let Some(other) = self.weights.get(&tensor) {
                let expected = format!("no tensor `{tensor}`, which {} has", other.file);
                return Err(Error::file(file, expected, "one"));
            }
            self.weights.insert(tensor, weight);
        }
        if end != file_length {
            let found = if end > file_length {
                "a truncated file"
            } else {
                "a file"
            };
            let expected = format!("{end} bytes, as its header says");
            let found = format!("{found} of {file_length}");
            return Err(Error::file(file, expected, found));
        }
        self.files.push(name);
        Ok(())
    }

    /// Reads the header of a file, and adds its tensors, see
    /// [`add_file`](Self::add_file).
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, and those of `add_file`.
    pub fn read_file(&mut self, file: &str, mut reader: impl Read + Seek) -> Result<()> {
        let failed = |source| Error::io(file, "reading", source);
        let length = reader.seek(SeekFrom::End(0)).map_err(failed)?;
        reader.rewind().map_err(failed)?;
        let mut start = Vec::new();
        let mut first = reader.by_ref().take(FILE_START as u64);
        first.read_to_end(&mut start).map_err(failed)?;
        let header_length = header_length(file, &start, length)?;
        reader.seek(SeekFrom::Start(PREFIX)).map_err(failed)?;
        let mut header = Vec::new();
        let mut rest = reader.take(header_length);
        rest.read_to_end(&mut header).map_err(failed)?;
        self.add_file(file, &header, length)
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Weight> {
        self.weights.get(name)
    }

    /// The names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.weights.keys().map(String::as_str)
    }

    /// The files that were added, in this order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| &**file)
    }

    /// The files for messages.
    pub(crate) fn file_names(&self) -> String {
        let names: Vec<&str> = self.files().collect();
        match names.as_slice() {
            [] => "weights".to_owned(),
            names => names.join(", "),
        }
    }
}

impl Weight {
    fn read(file: &Arc<str>, name: &str, entry: Entry, start: u64) -> Result<Self> {
        let Entry {
            dtype,
            shape,
            data_offsets: [first, end],
        } = entry;
        let refuse = |expected: String, found: String| Err(Error::file(file, expected, found));
        let (Some(length), Some(offset)) = (end.checked_sub(first), start.checked_add(first))
        else {
            let expected = format!("the bytes of the tensor `{name}`");
            return refuse(expected, format!("those from {first} to {end}"));
        };
        let weight = Self {
            file: Arc::clone(file),
            dtype,
            shape,
            offset,
            length,
        };
        let Some(stored) = weight.stored() else {
            // Of types that no graph needs, sizes are not known.
            return Ok(weight);
        };
        let mut sizes = weight.shape.iter();
        let needed = sizes.try_fold(stored.size() as u64, |all, &size| all.checked_mul(size));
        if needed != Some(length) {
            let Self { dtype, shape, .. } = &weight;
            let expected = match needed {
                Some(needed) => format!("{needed} bytes"),
                None => "fewer bytes than a file can have".to_owned(),
            };
            let expected = format!("{expected} for the tensor `{name}`, {shape:?} of {dtype}");
            return refuse(expected, length.to_string());
        }
        Ok(weight)
    }

    /// A row of a matrix, `[1, columns]`. Rows beyond the last are empty.
    pub(crate) fn row(&self, row: u64) -> Self {
        let rows = self.shape.first().copied().unwrap_or_default();
        let columns = self.shape.get(1).copied().unwrap_or_default();
        let length = if row < rows { self.length / rows } else { 0 };
        Self {
            shape: vec![1, columns],
            // What is read of a file fits into it.
            offset: self.offset.saturating_add(row.saturating_mul(length)),
            length,
            ..self.clone()
        }
    }

    /// How elements are stored; `None` for types that are not read.
    pub fn stored(&self) -> Option<StoredType> {
        Some(match self.dtype.as_str() {
            "F32" => StoredType::Float32,
            "F16" => StoredType::Float16,
            "BF16" => StoredType::BFloat16,
            _ => return None,
        })
    }

    /// A tensor of 32-bit floats that refers to these bytes; `name` is that in
    /// the graph.
    ///
    /// # Errors
    /// [`Error::ModelMismatch`] if the type is not one that is read.
    pub fn to_tensor(&self, name: &str) -> Result<TensorProto> {
        let stored = self.stored().ok_or_else(|| {
            let what = format!("the tensor `{name}`");
            Error::mismatch(&self.file, what, "F32, F16 or BF16", &self.dtype)
        })?;
        let sizes = self.shape.iter();
        let mut tensor = TensorProto {
            name: Some(name.to_owned()),
            // Sizes of floats in a file fit.
            dims: sizes.map(|&size| size as i64).collect(),
            data_type: Some(FLOAT),
            ..TensorProto::default()
        };
        let location = ExternalLocation {
            file: &self.file,
            offset: self.offset,
            length: Some(self.length),
            stored,
        };
        location.write_to(&mut tensor);
        Ok(tensor)
    }
}
