//! Many documents' vectors in one piece of memory, searched exactly.
//!
//! A corpus is the bytes of a file, in memory or mapped: [`CorpusWriter`] writes
//! them to anything that takes bytes, and [`Corpus::parse`] reads the tables of
//! all documents, but not their vectors. Searches read every vector of the
//! documents that they compare; they use no index.

mod format;
mod precision;
mod reader;
mod search;
mod writer;

use std::fmt;

use crate::error::{Error, Result};
use crate::fingerprint::Fingerprint;
use format::Segment;
pub use precision::VectorPrecision;
pub use search::SearchOptions;
pub use writer::CorpusWriter;

/// What all vectors of a corpus have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CorpusSpace {
    /// Columns of a row.
    pub dim: usize,
    /// How vectors are stored.
    pub precision: VectorPrecision,
    /// The embedding space, see [`Fingerprint::space`]; empty if it is unknown.
    pub space: String,
}

impl CorpusSpace {
    /// Rows of `dim` columns, in 32-bit floats, of an unknown space.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            precision: VectorPrecision::F32,
            space: String::new(),
        }
    }

    /// Stores vectors like this.
    #[must_use]
    pub fn with_precision(mut self, precision: VectorPrecision) -> Self {
        self.precision = precision;
        self
    }

    /// Vectors are of this space.
    #[must_use]
    pub fn with_space(mut self, space: impl Into<String>) -> Self {
        self.space = space.into();
        self
    }
}

/// Documents' vectors, to be searched.
pub struct Corpus {
    /// What it is called in messages, such as its file.
    name: String,
    space: CorpusSpace,
    /// What it was parsed from, and what was added.
    parts: Vec<Box<dyn AsRef<[u8]> + Send + Sync>>,
    segments: Vec<Segment>,
}

impl Corpus {
    /// The number of documents.
    pub fn len(&self) -> usize {
        self.segments.last().map_or(0, Segment::end)
    }

    /// Whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of rows of all documents.
    pub fn rows(&self) -> usize {
        self.segments.iter().map(Segment::rows).sum()
    }

    /// What all vectors have in common.
    pub fn space(&self) -> &CorpusSpace {
        &self.space
    }

    /// The bytes that it is read from. One after the other they are what
    /// [`parse`](Self::parse) takes: all of it is one part, and each call of
    /// [`extend`](Self::extend) adds one.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().map(|part| (**part).as_ref())
    }

    /// The id of a document; `None` if there is no document at that position.
    pub fn id(&self, document: usize) -> Option<&str> {
        let segment = self.segment_of(document)?;
        segment.id(self.part(segment), document)
    }

    /// The number of rows of a document; `None` if there is no document at that
    /// position.
    pub fn rows_of(&self, document: usize) -> Option<usize> {
        Some(self.segment_of(document)?.rows_of(document).len())
    }

    /// The positions of documents by their ids, in the documents' order. All
    /// documents with an id are found.
    pub fn positions<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
        let ids: std::collections::HashSet<&str> = ids.into_iter().collect();
        let is_wanted = |&at: &usize| self.id(at).is_some_and(|id| ids.contains(id));
        (0..self.len()).filter(is_wanted).collect()
    }

    /// Refuses queries of another space.
    ///
    /// # Errors
    /// [`Error::FingerprintMismatch`].
    pub fn check_space(&self, queries: &Fingerprint) -> Result<()> {
        queries.check_space(&self.space.space)
    }

    /// The bytes that a segment is in.
    fn part(&self, segment: &Segment) -> &[u8] {
        let part = self.parts.get(segment.part);
        part.map(|part| (**part).as_ref()).unwrap_or_default()
    }

    fn segment_of(&self, document: usize) -> Option<&Segment> {
        let at = self
            .segments
            .partition_point(|segment| segment.end() <= document);
        self.segments.get(at)
    }

    fn invalid(&self, expected: impl fmt::Display, found: impl fmt::Display) -> Error {
        Error::invalid_file(&self.name, expected, found)
    }
}

impl fmt::Debug for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Corpus")
            .field("name", &self.name)
            .field("space", &self.space)
            .field("documents", &self.len())
            .field("rows", &self.rows())
            .finish_non_exhaustive()
    }
}
