//! Corpora, made of the rows of a partial file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use multivec::atomic_file::beside;
use multivec::corpus::{CorpusSpace, CorpusWriter, VectorPrecision};
use multivec::{Embedding, Error, Result};

use super::journal::{Identity, Journal};
use super::stored::StoredKind;
use crate::input::text_name;

/// Refuses, before anything is encoded, what cannot be written in the end.
pub(crate) fn check(path: &Path, identity: &Identity) -> Result<()> {
    if identity.model != StoredKind::MultiVector {
        let found = format!("a {} model", identity.model.name());
        let expected = "a multi-vector model, or a dense one and an output that ends in \
                        .safetensors or is a table";
        return Err(Error::option("store", expected, found));
    }
    let ending = path.extension().and_then(|ending| ending.to_str());
    if let Some(ending @ ("jsonl" | "safetensors")) = ending {
        let expected = format!("a name that does not end in .{ending}, with --store");
        return Err(Error::option("output", expected, path.display()));
    }
    CorpusWriter::new(io::sink(), space(identity)).map(drop)
}

/// Writes a corpus to `path`, of `rows` in 32-bit floats. Texts without an id have
/// their position as one.
pub(crate) fn write(
    path: &Path,
    identity: &Identity,
    journal: &mut Journal,
    rows: &mut File,
) -> io::Result<()> {
    let file = beside(path)?;
    let out = BufWriter::new(file.as_file());
    let mut writer = CorpusWriter::new(out, space(identity)).map_err(io::Error::other)?;
    let mut rows = BufReader::new(rows);
    journal.records(|record| {
        let texts = record.indices.into_iter().zip(record.rows).zip(record.ids);
        for ((index, count), id) in texts {
            let mut bytes = vec![0; count * identity.dim * size_of::<f32>()];
            rows.read_exact(&mut bytes)?;
            let values = bytes.as_chunks::<4>().0.iter();
            let values = values.map(|bytes| f32::from_le_bytes(*bytes)).collect();
            let id = text_name(index, &id);
            let embedding = Embedding::from_rows(values, identity.dim);
            let written = embedding.and_then(|embedding| writer.push(&id, &embedding));
            written.map_err(io::Error::other)?;
        }
        Ok(())
    })?;
    let mut out = writer.finish().map_err(io::Error::other)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn space(identity: &Identity) -> CorpusSpace {
    let store = identity.store.as_deref();
    let precision = VectorPrecision::ALL
        .into_iter()
        .find(|precision| Some(precision.name()) == store);
    CorpusSpace::new(identity.dim)
        .with_precision(precision.unwrap_or_default())
        .with_space(&identity.space)
}
