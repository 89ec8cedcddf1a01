//! Reading the tables of a corpus.

use std::fmt;
use std::ops::Range;

use super::format::{
    ALIGNMENT, HASHED, HEADER, LONGEST_SPACE, MAGIC, SEGMENT_MAGIC, Segment, VERSION,
};
use super::precision::VectorPrecision;
use super::{Corpus, CorpusSpace};
use crate::error::{Error, Result};

impl Corpus {
    /// Reads the tables of a corpus, and none of its vectors. `name` is for
    /// messages, such as the file.
    ///
    /// # Errors
    /// [`Error::InvalidFile`] if it is not a whole corpus of a version that this
    /// library knows.
    pub fn parse(
        name: impl Into<String>,
        bytes: impl AsRef<[u8]> + Send + Sync + 'static,
    ) -> Result<Self> {
        let name = name.into();
        let mut cursor = Cursor {
            name: &name,
            bytes: bytes.as_ref(),
            at: 0,
        };
        if cfg!(target_endian = "big") {
            return Err(cursor.invalid("a machine of little endian", "one of big endian"));
        }
        let space = cursor.space()?;
        let segments = cursor.segments(Place::default(), &space)?;
        Ok(Self {
            name,
            space,
            parts: vec![Box::new(bytes)],
            segments,
        })
    }

    /// Adds documents that a writer [`continuing`](super::CorpusWriter::continuing)
    /// this corpus has written. After an error, none of them are added.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn extend(&mut self, bytes: impl AsRef<[u8]> + Send + Sync + 'static) -> Result<()> {
        let mut cursor = Cursor {
            name: &self.name,
            bytes: bytes.as_ref(),
            at: 0,
        };
        let place = Place {
            part: self.parts.len(),
            first: self.len(),
        };
        let segments = cursor.segments(place, &self.space)?;
        self.segments.extend(segments);
        self.parts.push(Box::new(bytes));
        Ok(())
    }
}

/// Where a segment is in a corpus.
#[derive(Clone, Copy, Default)]
struct Place {
    part: usize,
    /// The position of its first document.
    first: usize,
}

/// A place in the bytes of a corpus.
struct Cursor<'a> {
    name: &'a str,
    bytes: &'a [u8],
    at: usize,
}

/// A header: its numbers, and the hash.
struct Header {
    start: usize,
    numbers: [u64; 3],
    hash: [u8; 32],
}

impl Cursor<'_> {
    fn invalid(&self, expected: impl fmt::Display, found: impl fmt::Display) -> Error {
        Error::invalid_file(self.name, expected, found)
    }

    /// The next `count` items of `size` bytes each.
    fn take(&mut self, count: usize, size: usize) -> Result<Range<usize>> {
        let end = count
            .checked_mul(size)
            .and_then(|size| self.at.checked_add(size));
        let Some(end) = end.filter(|&end| end <= self.bytes.len()) else {
            let expected = format!("{count} times {size} bytes from byte {} on", self.at);
            return Err(self.invalid(expected, format!("{} bytes", self.bytes.len())));
        };
        let start = std::mem::replace(&mut self.at, end);
        Ok(start..end)
    }

    /// Goes on to the next place that is aligned.
    fn align(&mut self) -> Result<()> {
        let padding = self.at.next_multiple_of(ALIGNMENT) - self.at;
        let range = self.take(padding, 1)?;
        let found = self.bytes[range].iter().find(|&&byte| byte != 0);
        match found {
            Some(byte) => Err(self.invalid("zeros between parts", byte)),
            None => Ok(()),
        }
    }

    fn header(&mut self, magic: &[u8; 8], what: &str) -> Result<Header> {
        let start = self.at;
        let range = self.take(1, HEADER)?;
        let header = &self.bytes[range];
        let (words, _) = header.as_chunks::<8>();
        if words[0] != *magic {
            let found = String::from_utf8_lossy(&words[0]).into_owned();
            let expected = format!("{what} at byte {start}, which starts with {magic:?}");
            return Err(self.invalid(expected, format!("{found:?}")));
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&header[HASHED..]);
        Ok(Header {
            start,
            numbers: [1, 2, 3].map(|at| u64::from_le_bytes(words[at])),
            hash,
        })
    }

    /// Compares the hash of a header and of what follows it.
    fn check(&self, header: &Header) -> Result<()> {
        let hash = blake3::Hasher::new()
            .update(&self.bytes[header.start..header.start + HASHED])
            .update(&self.bytes[header.start + HEADER..self.at])
            .finalize();
        if hash == header.hash {
            return Ok(());
        }
        let expected = format!("tables at byte {} as they were written", header.start);
        Err(self.invalid(expected, "another hash"))
    }

    fn number(&self, number: u64, what: &str) -> Result<usize> {
        usize::try_from(number).map_err(|_| self.invalid(format!("{what} in memory"), number))
    }

    fn space(&mut self) -> Result<CorpusSpace> {
        let header = self.header(MAGIC, "a corpus")?;
        let [format, dim, size] = header.numbers;
        let (version, precision) = (format as u32, (format >> 32) as u32);
        if version != VERSION {
            return Err(self.invalid(format!("version {VERSION}"), format!("version {version}")));
        }
        let size = self.number(size, "a space")?;
        if size > LONGEST_SPACE {
            let expected = format!("a space of at most {LONGEST_SPACE} bytes");
            return Err(self.invalid(expected, size));
        }
        let space = self.take(size, 1)?;
        self.check(&header)?;
        let space = std::str::from_utf8(&self.bytes[space])
            .map_err(|error| self.invalid("a space in UTF-8", error))?;
        let precision = VectorPrecision::ALL
            .into_iter()
            .find(|&known| known.number() == precision)
            .ok_or_else(|| self.invalid("a precision of 0 to 3", precision))?;
        let dim = self.number(dim, "columns")?;
        let most = precision.max_dim();
        if dim == 0 || dim > most {
            return Err(self.invalid(format!("1 to {most} columns"), dim));
        }
        let space = CorpusSpace::new(dim)
            .with_precision(precision)
            .with_space(space);
        self.align()?;
        Ok(space)
    }

    /// All segments that are left, of which the first is at `place`.
    fn segments(&mut self, mut place: Place, space: &CorpusSpace) -> Result<Vec<Segment>> {
        let mut segments = Vec::new();
        while self.at < self.bytes.len() {
            let segment = self.segment(place, space)?;
            place.first = segment.end();
            segments.push(segment);
        }
        Ok(segments)
    }

    fn segment(&mut self, place: Place, space: &CorpusSpace) -> Result<Segment> {
        let header = self.header(SEGMENT_MAGIC, "a segment")?;
        let [documents, rows, ids] = header.numbers;
        let documents = self.number(documents, "documents")?;
        let rows = self.number(rows, "rows")?;
        let ids_size = self.number(ids, "ids")?;
        let tables = self.take(documents, 16)?;
        let ids = self.take(ids_size, 1)?;
        self.check(&header)?;
        if place.first.checked_add(documents).is_none() {
            return Err(self.invalid("documents that can be counted", documents));
        }
        let (ends, id_ends) = self.bytes[tables].split_at(8 * documents);
        let ends = self.ends(ends, rows, "rows")?;
        let text = std::str::from_utf8(&self.bytes[ids.clone()])
            .map_err(|error| self.invalid("ids in UTF-8", error))?;
        let mut start = 0;
        let mut id_ranges = Vec::with_capacity(documents);
        for end in self.ends(id_ends, ids_size, "bytes of ids")? {
            if !text.is_char_boundary(end) {
                return Err(self.invalid("ids of whole characters", end));
            }
            id_ranges.push(ids.start + start..ids.start + end);
            start = end;
        }
        self.align()?;
        let scales = self.take(rows, space.precision.scale_size())?;
        self.align()?;
        let vectors = self.take(rows, space.precision.row_size(space.dim))?;
        self.align()?;
        Ok(Segment {
            part: place.part,
            first: place.first,
            ends,
            ids: id_ranges,
            scales,
            vectors,
        })
    }

    /// A table of ends: they ascend, up to `last`.
    fn ends(&self, table: &[u8], last: usize, what: &str) -> Result<Vec<usize>> {
        let (words, _) = table.as_chunks::<8>();
        let mut ends = Vec::with_capacity(words.len());
        let mut before = 0;
        for word in words {
            let end = self.number(u64::from_le_bytes(*word), what)?;
            if end < before || end > last {
                let expected = format!("an end of {what} from {before} to {last}");
                return Err(self.invalid(expected, end));
            }
            ends.push(end);
            before = end;
        }
        if before != last {
            return Err(self.invalid(format!("{last} {what}"), before));
        }
        Ok(ends)
    }
}
