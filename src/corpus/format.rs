//! The file format of a corpus, version 1. All numbers are little endian.
//!
//! A header, then segments, each at a multiple of 64 bytes. Appending adds a
//! segment.
//!
//! Header, padded with zeros to a multiple of 64 bytes:
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | `MVCORPUS` |
//! | 4 | version, 1 |
//! | 4 | precision: 0 f32, 1 f16, 2 int8, 3 bits |
//! | 8 | columns of a row |
//! | 8 | bytes of the space |
//! | 32 | BLAKE3 of the 32 bytes before and of the space |
//! | | the space, in UTF-8 |
//!
//! Segment:
//!
//! | bytes | |
//! | --- | --- |
//! | 8 | `MVCSEGMT` |
//! | 8 | documents |
//! | 8 | rows |
//! | 8 | bytes of all ids |
//! | 32 | BLAKE3 of the 32 bytes before, of both tables and of the ids |
//! | 8 a document | the row after its last one |
//! | 8 a document | the byte after the last one of its id |
//! | | the ids, in UTF-8, padded with zeros to a multiple of 64 bytes |
//! | 4 a row | scales of int8, padded with zeros to a multiple of 64 bytes |
//! | | rows, padded with zeros to a multiple of 64 bytes |

use std::ops::Range;

pub(super) const MAGIC: &[u8; 8] = b"MVCORPUS";
pub(super) const SEGMENT_MAGIC: &[u8; 8] = b"MVCSEGMT";
pub(super) const VERSION: u32 = 1;
/// Bytes before the hash of a header.
pub(super) const HASHED: usize = 32;
/// Bytes of a header, without what has a size of its own.
pub(super) const HEADER: usize = 64;
/// What rows start at a multiple of.
pub(super) const ALIGNMENT: usize = 64;
/// The longest space.
pub(super) const LONGEST_SPACE: usize = 1024;

/// Documents that were written together. All ranges are of one part's bytes.
#[derive(Debug)]
pub(super) struct Segment {
    /// Which of the corpus's parts it is in.
    pub(super) part: usize,
    /// The position of its first document.
    pub(super) first: usize,
    /// For each document the row after its last one, counted in the segment.
    pub(super) ends: Vec<usize>,
    /// For each document its id.
    pub(super) ids: Vec<Range<usize>>,
    pub(super) scales: Range<usize>,
    pub(super) vectors: Range<usize>,
}

impl Segment {
    /// The position after its last document.
    pub(super) fn end(&self) -> usize {
        self.first + self.ends.len()
    }

    pub(super) fn rows(&self) -> usize {
        self.ends.last().copied().unwrap_or(0)
    }

    /// The first row of a document, and the one after its last.
    pub(super) fn rows_of(&self, document: usize) -> Range<usize> {
        let at = document - self.first;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[at]
    }

    pub(super) fn id<'a>(&self, bytes: &'a [u8], document: usize) -> Option<&'a str> {
        let range = self.ids.get(document.checked_sub(self.first)?)?;
        // It was checked when the corpus was opened.
        std::str::from_utf8(bytes.get(range.clone())?).ok()
    }
}

/// Zeros up to the next place that is aligned.
pub(super) fn padding(size: usize) -> usize {
    size.next_multiple_of(ALIGNMENT) - size
}
