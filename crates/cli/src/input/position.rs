//! How far an input has been read, and skipping what an earlier run has read.

use multivec::Result;
use serde::{Deserialize, Serialize};

use super::Input;
use super::hash::hash_file;
use super::lines::LinesPosition;
use super::reader::Reader;
use super::share::Members;
use super::table::Table;

/// How far an input has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    /// Files before the one that is being read.
    #[serde(default)]
    files: usize,
    /// A hash of their content.
    #[serde(default)]
    earlier: String,
    /// Bytes of lines; of a table 0.
    bytes: u64,
    /// Lines or rows of the file.
    lines: usize,
    /// Texts, those that were skipped included.
    texts: usize,
    /// BLAKE3 hash of these bytes, or of the table's file, in hexadecimal digits.
    hash: String,
}

impl Input {
    /// How far the input has been read.
    pub(crate) fn position(&self) -> Result<Position> {
        let position = Position {
            files: self.at,
            earlier: self.earlier.finalize().to_hex().to_string(),
            texts: self.reader.as_ref().map_or(self.before, Reader::texts),
            ..Position::default()
        };
        Ok(match &self.reader {
            Some(Reader::Lines(lines)) => {
                let LinesPosition { bytes, lines, hash } = lines.position();
                Position {
                    bytes,
                    lines,
                    hash,
                    ..position
                }
            }
            Some(Reader::Table(table)) => Position {
                lines: table.rows(),
                hash: self.hash_of(table)?,
                ..position
            },
            None => position,
        })
    }

    /// Standard input cannot be read again, and needs no hash.
    fn hash_of(&self, table: &Table) -> Result<String> {
        if self.can_be_skipped() {
            table.hash()
        } else {
            Ok(String::new())
        }
    }

    /// Skips what an earlier run has read, if it still has the same content.
    /// Otherwise stays at the start and returns `false`.
    pub(crate) fn skip(&mut self, read: &Position) -> Result<bool> {
        if !self.can_be_skipped() || read.files > self.files.len() {
            return Ok(false);
        }
        let mut earlier = blake3::Hasher::new();
        for at in 0..read.files {
            self.add_hash(&mut earlier, at)?;
        }
        if earlier.finalize().to_hex().as_str() != read.earlier {
            return Ok(false);
        }
        if read.files == self.files.len() {
            self.reader = None;
        } else {
            // Texts of the file itself are within those that were read.
            let members = self.members(read.files);
            let mut reader = self.open_file(read.files)?;
            let is_same = match (&mut reader, &self.files[read.files]) {
                (Reader::Lines(lines), Some(path)) => {
                    let position = LinesPosition {
                        bytes: read.bytes,
                        lines: read.lines,
                        hash: read.hash.clone(),
                    };
                    let skipped = lines.skip(path, &position);
                    skipped.map_err(|source| self.failed(read.files, source))?
                }
                (Reader::Table(table), _) => {
                    table.hash()? == read.hash && table.skip(read.lines)?
                }
                _ => false,
            };
            if !is_same {
                return Ok(false);
            }
            self.reader = Some(reader.starting_at(read.texts, members));
        }
        (self.at, self.before, self.earlier) = (read.files, read.texts, earlier);
        Ok(true)
    }

    /// Adds a file that is behind: its content or, where another process reads
    /// it, the number of its texts.
    fn add_hash(&self, earlier: &mut blake3::Hasher, at: usize) -> Result<()> {
        let Some(path) = &self.files[at] else {
            return Ok(());
        };
        if self.members(at) == Members::None {
            earlier.update(&self.count(at)?.to_le_bytes());
        } else {
            let hash = hash_file(path).map_err(|source| self.failed(at, source))?;
            earlier.update(hash.as_bytes());
        }
        Ok(())
    }
}
