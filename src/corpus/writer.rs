//! Writing a corpus.

use std::io::{self, Write};

use super::format::{HASHED, LONGEST_SPACE, MAGIC, SEGMENT_MAGIC, VERSION, padding};
use super::precision::{PRECISION, VectorPrecision};
use super::{Corpus, CorpusSpace};
use crate::embedding::Embedding;
use crate::error::{Error, Result};

/// Bytes of vectors after which a segment is written, so that memory does not grow
/// with the corpus.
const SEGMENT: usize = 16 << 20;

/// Writes a corpus, document by document.
///
/// ```
/// use multivec_core::Embedding;
/// use multivec_core::corpus::{Corpus, CorpusSpace, CorpusWriter, VectorPrecision};
///
/// let space = CorpusSpace::new(2).with_precision(VectorPrecision::Int8);
/// let mut writer = CorpusWriter::new(Vec::new(), space)?;
/// writer.push("first", &Embedding::from_rows(vec![0.0, 1.0, 0.6, 0.8], 2)?)?;
/// writer.push("second", &Embedding::from_rows(vec![1.0, 0.0], 2)?)?;
/// let corpus = Corpus::parse("memory", writer.finish()?)?;
///
/// let query = Embedding::from_rows(vec![0.8, 0.6], 2)?;
/// let found = corpus.search(&query, 1)?;
/// assert_eq!(corpus.id(found[0].index), Some("first"));
/// # Ok::<(), multivec_core::Error>(())
/// ```
#[derive(Debug)]
pub struct CorpusWriter<W: Write> {
    writer: W,
    space: CorpusSpace,
    rows: Vec<u8>,
    scales: Vec<f32>,
    /// For each document of the segment the row after its last one.
    ends: Vec<u64>,
    ids: String,
    id_ends: Vec<u64>,
    documents: usize,
}

impl<W: Write> CorpusWriter<W> {
    /// Starts a corpus.
    ///
    /// # Errors
    /// [`Error::InvalidOption`] for more columns than the precision takes, for
    /// none, and for a space of more than 1,024 bytes; [`Error::Io`].
    pub fn new(writer: W, space: CorpusSpace) -> Result<Self> {
        let CorpusSpace { dim, precision, .. } = space;
        let most = VectorPrecision::F32.max_dim();
        if dim == 0 || dim > most {
            return Err(Error::option("dim", format!("1 to {most} columns"), dim));
        }
        if dim > precision.max_dim() {
            let expected = format!("f32 or f16 for rows of {dim} columns");
            return Err(Error::option(PRECISION, expected, precision));
        }
        if space.space.len() > LONGEST_SPACE {
            let expected = format!("at most {LONGEST_SPACE} bytes");
            return Err(Error::option("space", expected, space.space.len()));
        }
        let mut header = Vec::new();
        header.extend_from_slice(MAGIC);
        header.extend(VERSION.to_le_bytes());
        header.extend(space.precision.number().to_le_bytes());
        header.extend((space.dim as u64).to_le_bytes());
        header.extend((space.space.len() as u64).to_le_bytes());
        let tables = space.space.as_bytes().to_vec();
        let mut writer = Self::append_to(writer, space);
        writer.write(&hashed(header, &tables))?;
        Ok(writer)
    }

    /// Continues the corpus that was parsed, which `writer` is at the end of.
    pub fn continuing(corpus: &Corpus, writer: W) -> Self {
        Self::append_to(writer, corpus.space.clone())
    }

    fn append_to(writer: W, space: CorpusSpace) -> Self {
        Self {
            writer,
            space,
            rows: Vec::new(),
            scales: Vec::new(),
            ends: Vec::new(),
            ids: String::new(),
            id_ends: Vec::new(),
            documents: 0,
        }
    }

    /// The number of documents that this writer was given.
    pub fn documents(&self) -> usize {
        self.documents
    }

    /// Adds a document. Ids need not differ.
    ///
    /// # Errors
    /// [`Error::DimensionMismatch`] for rows of another length,
    /// [`Error::NonFiniteVector`] for a row with a number that is not finite,
    /// [`Error::InvalidOption`] for one beyond the range of 16-bit floats, and
    /// [`Error::Io`]. Positions count from the first document of this writer.
    /// After an error the document is left out.
    pub fn push(&mut self, id: &str, embedding: &Embedding) -> Result<()> {
        let CorpusSpace { dim, precision, .. } = self.space;
        if embedding.dim() != dim && embedding.tokens() > 0 {
            let what = format_args!("document {}", self.documents);
            return Err(Error::dimension_mismatch(what, dim, embedding.dim()));
        }
        let before = [self.rows.len(), self.scales.len()];
        let stored = precision.store(embedding.as_slice(), dim, &mut self.rows, &mut self.scales);
        if let Err(error) = stored {
            self.rows.truncate(before[0]);
            self.scales.truncate(before[1]);
            return Err(error.after(self.documents));
        }
        self.ids.push_str(id);
        self.id_ends.push(self.ids.len() as u64);
        let rows = self.ends.last().copied().unwrap_or(0);
        self.ends.push(rows + embedding.tokens() as u64);
        self.documents += 1;
        if self.rows.len() + self.ids.len() >= SEGMENT {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes all documents so far, so that what was written is a whole corpus.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<()> {
        if !self.ends.is_empty() {
            let rows = self.ends.last().copied().unwrap_or(0);
            let mut header = Vec::new();
            header.extend_from_slice(SEGMENT_MAGIC);
            for number in [self.ends.len() as u64, rows, self.ids.len() as u64] {
                header.extend(number.to_le_bytes());
            }
            let ends = self.ends.iter().chain(&self.id_ends);
            let mut tables: Vec<u8> = ends.flat_map(|end| end.to_le_bytes()).collect();
            tables.extend_from_slice(self.ids.as_bytes());
            self.write(&hashed(header, &tables))?;
            let scales = self.scales.iter();
            let mut scales: Vec<u8> = scales.flat_map(|scale| scale.to_le_bytes()).collect();
            self.scales.clear();
            let mut rows = std::mem::take(&mut self.rows);
            for part in [&mut scales, &mut rows] {
                part.resize(part.len() + padding(part.len()), 0);
                self.write(part)?;
            }
            rows.clear();
            self.rows = rows;
            self.ends.clear();
            self.id_ends.clear();
            self.ids.clear();
        }
        self.writer.flush().map_err(failed)
    }

    /// Writes what is left, and returns the writer.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self) -> Result<W> {
        self.flush()?;
        Ok(self.writer)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(failed)
    }
}

fn failed(error: io::Error) -> Error {
    Error::io("the corpus", "writing", error)
}

/// A header, the hash of it and of its tables, and these, padded.
fn hashed(mut header: Vec<u8>, tables: &[u8]) -> Vec<u8> {
    debug_assert_eq!(header.len(), HASHED);
    let hash = blake3::Hasher::new()
        .update(&header)
        .update(tables)
        .finalize();
    header.extend_from_slice(hash.as_bytes());
    header.extend_from_slice(tables);
    header.resize(header.len() + padding(header.len()), 0);
    header
}
