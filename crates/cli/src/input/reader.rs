//! The file that is being read: lines, or a table.

use multivec::Result;

use super::chunk::Chunk;
use super::lines::Lines;
use super::share::Members;
use super::table::Table;

pub(super) enum Reader {
    Lines(Box<Lines>),
    Table(Box<Table>),
}

impl Reader {
    /// The position of the next text in the input.
    pub(super) fn texts(&self) -> usize {
        match self {
            Self::Lines(lines) => lines.texts(),
            Self::Table(table) => table.texts(),
        }
    }

    /// A hash of the whole file, which has been read to its end.
    pub(super) fn hash(&self) -> Result<String> {
        match self {
            Self::Lines(lines) => Ok(lines.position().hash),
            Self::Table(table) => table.hash(),
        }
    }

    /// From that position in the input on, with the texts of this process.
    pub(super) fn starting_at(self, first: usize, members: Members) -> Self {
        match self {
            Self::Lines(lines) => Self::Lines(Box::new(lines.with_members(first, members))),
            Self::Table(table) => Self::Table(Box::new(table.with_members(first, members))),
        }
    }

    /// Reads the next chunk of texts; an empty one at the end.
    pub(super) fn read_chunk(&mut self) -> Result<Chunk> {
        match self {
            Self::Lines(lines) => lines.read_chunk(),
            Self::Table(table) => table.read_chunk(),
        }
    }

    /// Counts the texts of a file that is at its start.
    pub(super) fn count(&mut self) -> Result<usize> {
        match self {
            Self::Table(table) => table.count(),
            Self::Lines(lines) => {
                while !lines.read_chunk()?.is_empty() {}
                Ok(lines.texts())
            }
        }
    }

    /// Bytes read so far of a file of that size.
    pub(super) fn bytes(&self, size: u64) -> u64 {
        match self {
            Self::Lines(lines) => lines.bytes,
            Self::Table(table) => (size as f64 * table.done()) as u64,
        }
    }
}
