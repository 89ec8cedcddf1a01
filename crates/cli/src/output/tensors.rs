//! Safetensors files, written as a stream: neither their header nor their
//! values are held in memory.
//!
//! Source of the format: huggingface/safetensors, README.md, "Format".

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::iter;
use std::path::Path;

use super::dense::{RANGES, Vectors};
use super::journal::{Identity, Journal};
use super::stored::{Sizes, StoredKind, tensors};
use crate::input::text_name;
use multivec::atomic_file::beside;
use multivec::corpus::VectorPrecision;
use multivec::dense::Int8Ranges;
use serde_json::{Value, json};

/// Maximum header that readers accept, in bytes.
pub(crate) const LARGEST_HEADER: usize = 100_000_000;

/// Upper bound of the header's bytes without its entries.
pub(crate) fn frame(identity: &Identity) -> usize {
    let ranges = match precision(identity) {
        VectorPrecision::Int8 => 2 * 16 * identity.dim,
        _ => 0,
    };
    2048 + ranges
}

/// Bytes that a text that is left out adds to the header: the place of its id.
pub(crate) const GAP: usize = ",null".len();

/// Upper bound of the bytes that a text adds to the header.
pub(crate) fn entry_size(identity: &Identity, name: &str, offset: u64, id: &Value) -> usize {
    let most = match identity.model {
        StoredKind::Hybrid => 4,
        _ => 2,
    };
    let digits = |number: u64| number.checked_ilog10().unwrap_or(0) as usize + 1;
    let name = Value::from(name).to_string().len();
    // Up to four tensors with name, shape and two offsets; escaping at most
    // doubles the id.
    most * (72 + name + 3 * digits(offset)) + 2 * id.to_string().len()
}

/// Writes a file to `path`: the tensors of `rows`, in the shapes that the
/// journal has.
pub(crate) fn write(
    path: &Path,
    identity: &Identity,
    journal: &mut Journal,
    rows: &mut File,
) -> io::Result<()> {
    let precision = precision(identity);
    let mut vectors = Vectors {
        rows,
        dim: identity.dim,
    };
    let is_converted = identity.model == StoredKind::Dense;
    let ranges = match (&identity.ranges, precision) {
        (Some([low, high]), VectorPrecision::Int8) => {
            Some(Int8Ranges::new(low.clone(), high.clone()).map_err(io::Error::other)?)
        }
        (None, VectorPrecision::Int8) if is_converted => Some(vectors.ranges()?),
        _ => None,
    };
    let file = beside(path)?;
    let mut out = BufWriter::new(file.as_file());
    // The header's length, filled in below.
    out.write_all(&[0; 8])?;
    let mut size = write_header(&mut out, identity, ranges.as_ref(), journal)?;
    // Values start at a multiple of 8.
    while size % 8 != 0 {
        out.write_all(b" ")?;
        size += 1;
    }
    if is_converted {
        vectors.write(&mut out, precision, ranges.as_ref())?;
    } else {
        io::copy(vectors.rows, &mut out)?;
    }
    out.seek(SeekFrom::Start(0))?;
    out.write_all(&size.to_le_bytes())?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn write_header(
    out: &mut impl Write,
    identity: &Identity,
    ranges: Option<&Int8Ranges>,
    journal: &mut Journal,
) -> io::Result<u64> {
    let mut out = Counted { out, written: 0 };
    let (mut start, mut has_ids) = (0u64, false);
    write!(out, "{{")?;
    journal.records(|record| {
        has_ids |= record.ids.iter().any(|id| !id.is_null());
        let texts = record.indices.into_iter().zip(record.ids);
        let weights = record.weights.into_iter().chain(iter::repeat(0));
        for (((index, id), rows), weights) in texts.zip(record.rows).zip(weights) {
            let name = text_name(index, &id);
            let sizes = Sizes {
                rows,
                weights,
                dim: identity.dim,
                token_dim: identity.token_dim,
                precision: precision(identity),
            };
            for tensor in tensors(identity.model, sizes) {
                let end = start + tensor.bytes();
                write!(
                    out,
                    "{}:{{\"dtype\":\"{}\",\"shape\":{:?},\"data_offsets\":[{start},{end}]}},",
                    Value::from(format!("{name}{}", tensor.suffix)),
                    tensor.dtype,
                    tensor.shape,
                )?;
                start = end;
            }
        }
        Ok(())
    })?;
    write!(out, "\"__metadata__\":{{\"format\":\"multivec\"")?;
    let model = identity.model.name().to_owned();
    let stated = [
        ("model", &model),
        ("kind", &identity.kind),
        ("space", &identity.space),
        ("computed", &identity.computed),
    ];
    let origin = identity.origin.iter().map(|origin| ("origin", origin));
    for (key, value) in stated.into_iter().chain(origin) {
        write!(out, ",\"{key}\":{}", Value::from(value.as_str()))?;
    }
    if let Some(store) = &identity.store {
        write!(out, ",\"store\":{}", Value::from(store.as_str()))?;
    }
    if let Some(ranges) = ranges {
        let ranges = json!([ranges.low, ranges.high]).to_string();
        write!(out, ",\"{RANGES}\":{}", Value::from(ranges))?;
    }
    if has_ids {
        // Values of metadata are strings, this one a list in JSON.
        write!(out, ",\"ids\":\"[")?;
        let (mut separator, mut next) = ("", 0);
        journal.records(|record| {
            for (index, id) in record.indices.into_iter().zip(record.ids) {
                // Texts that are left out have a place too, so that an id's
                // position is that of its text.
                for _ in next..index {
                    write!(out, "{separator}null")?;
                    separator = ",";
                }
                write!(out, "{separator}{}", escaped(&id.to_string()))?;
                (separator, next) = (",", index + 1);
            }
            Ok(())
        })?;
        write!(out, "]\"")?;
    }
    write!(out, "}}}}")?;
    Ok(out.written)
}

/// That of dense vectors.
fn precision(identity: &Identity) -> VectorPrecision {
    let named = |precision: &VectorPrecision| identity.store.as_deref() == Some(precision.name());
    let known = [
        VectorPrecision::F16,
        VectorPrecision::Int8,
        VectorPrecision::Bits,
    ];
    let found = known.into_iter().find(named);
    found.unwrap_or(VectorPrecision::F32)
}

/// The content of a JSON string, without its quotes.
fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Counts the bytes written through it.
struct Counted<'a, W> {
    out: &'a mut W,
    written: u64,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
