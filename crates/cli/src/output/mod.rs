//! Embeddings in a file that appears under its name only when it is complete.
//! Until then they are in a partial file beside it, from which the next run of
//! the same command resumes.

mod column;
mod corpus;
mod dense;
mod format;
mod journal;
mod ranges;
mod resume;
mod rows;
mod stored;
mod table;
mod tensors;

use std::collections::HashSet;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use multivec::{Error, Result};

use crate::console::io_error;
use crate::input::{Input, InputText, Kept, NullText, Skipped};
use format::Format;
pub(crate) use format::Target;
pub(crate) use journal::{Identity, Totals};
use journal::{Journal, Record};
pub(crate) use ranges::ranges_of;
pub(crate) use stored::{Stored, StoredKind};
use table::Parts;

/// Most texts that are listed of those that were left out.
const LISTED: usize = 1000;

/// What is in a file that is complete.
pub(crate) struct Summary {
    pub(crate) totals: Totals,
    /// The first of the texts that were left out.
    pub(crate) skipped: Vec<Skipped>,
}

/// A file of embeddings in progress.
pub(crate) struct Output {
    /// The file; of a folder what partial file and journal are named after.
    path: PathBuf,
    format: Format,
    identity: Identity,
    /// The partial file: lines, or the rows of tensors.
    partial: BufWriter<File>,
    journal: Journal,
    /// Texts since the last commit.
    open: Record,
    totals: Totals,
    /// Hashes of the names of tensors so far.
    names: HashSet<u64>,
}

impl Output {
    /// Starts a file, or resumes the one that an interrupted run of the same
    /// command left; then `input` skips the texts that it already has. The
    /// extension decides the format.
    pub(crate) fn open(target: &Target<'_>, identity: Identity, input: &mut Input) -> Result<Self> {
        let format = Format::of(target, &identity, input)?;
        let mut output = Self::resume(target, format, identity, input)?;
        // A run may have ended before it did so.
        output
            .seal_if_full()
            .map_err(|source| output.error(source))?;
        Ok(output)
    }

    /// What is written so far, by earlier runs too.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Sets the columns that come with the texts that follow.
    pub(crate) fn start_chunk(&mut self, kept: Option<Kept>) {
        if let Format::Table(table) = &mut self.format {
            table.rows.start(kept);
        }
    }

    /// Adds the embedding of one text.
    pub(crate) fn write(&mut self, text: &InputText, embedding: &impl Stored) -> Result<()> {
        let done = match &mut self.format {
            Format::Lines => self.write_line(text, embedding),
            Format::Tensors | Format::Corpus => self.write_rows(text, embedding)?,
            Format::Table(table) => {
                let pushed = table.rows.push(text.index, text.id.as_ref(), embedding);
                pushed?;
                self.totals.part_rows += 1;
                self.write_full_batch()
            }
        };
        self.totals.length += done.map_err(|source| self.error(source))?;
        self.totals.texts += 1;
        self.totals.tokens += embedding.rows();
        self.totals.truncated += usize::from(embedding.truncation().is_truncated());
        Ok(())
    }

    /// Adds a text that is null: a null, where the format has nulls.
    pub(crate) fn write_null(&mut self, text: &NullText) -> Result<()> {
        let done = match &mut self.format {
            Format::Lines => self.write_null_line(text),
            Format::Tensors | Format::Corpus => {
                self.totals.header += tensors::GAP;
                Ok(0)
            }
            Format::Table(table) => {
                table.rows.push_null(text.index, text.id.as_ref());
                self.totals.part_rows += 1;
                self.write_full_batch()
            }
        };
        self.totals.length += done.map_err(|source| self.error(source))?;
        self.totals.nulls += 1;
        Ok(())
    }

    /// Leaves texts out.
    pub(crate) fn skip(&mut self, mut texts: Vec<Skipped>) {
        texts.sort_by_key(|text| text.line);
        self.totals.skipped += texts.len();
        self.totals.header += texts.len() * tensors::GAP;
        self.open.skipped.append(&mut texts);
    }

    /// Makes everything written so far durable, together with the position of
    /// `input`.
    pub(crate) fn commit(&mut self, input: &Input) -> Result<()> {
        self.totals.input = input.position()?;
        let done = self.try_commit().and_then(|()| self.seal_if_full());
        done.map_err(|source| self.error(source))
    }

    fn try_commit(&mut self) -> io::Result<()> {
        self.totals.length += self.write_batch()?;
        self.partial.flush()?;
        // Data first, so that the journal never refers to missing bytes.
        self.partial.get_ref().sync_data()?;
        let record = std::mem::take(&mut self.open);
        self.journal.append(&self.totals, record)
    }

    /// Makes the rows so far a file of the folder, if they are enough for one.
    fn seal_if_full(&mut self) -> io::Result<()> {
        let is_full = |parts: &Parts| parts.is_full(&self.totals);
        match self.format.parts().is_some_and(is_full) {
            true => self.seal(),
            false => Ok(()),
        }
    }

    fn seal(&mut self) -> io::Result<()> {
        let Format::Table(table) = &self.format else {
            return Ok(());
        };
        let Some(parts) = &table.parts else {
            return Ok(());
        };
        let partial = self.partial.get_mut();
        partial.seek(SeekFrom::Start(0))?;
        let path = parts.path(self.totals.parts);
        table::write(&path, table.format, table.rows.schema(), partial)?;
        self.totals.parts += 1;
        (self.totals.part_rows, self.totals.length) = (0, 0);
        // Only then are the rows no longer needed.
        self.journal.append(&self.totals, Record::default())?;
        partial.set_len(0)?;
        partial.seek(SeekFrom::Start(0)).map(drop)
    }

    /// Completes the file and moves it to its name.
    pub(crate) fn finish(mut self) -> Result<Summary> {
        let done = self.skipped().and_then(|skipped| {
            self.try_finish()?;
            Ok(skipped)
        });
        let skipped = done.map_err(|source| self.error(source))?;
        Ok(Summary {
            totals: self.totals,
            skipped,
        })
    }

    /// The first texts that were left out.
    fn skipped(&mut self) -> io::Result<Vec<Skipped>> {
        let mut skipped = Vec::new();
        if self.totals.skipped > 0 {
            self.journal.records(|record| {
                let room = LISTED - skipped.len();
                skipped.extend(record.skipped.into_iter().take(room));
                Ok(())
            })?;
        }
        Ok(skipped)
    }

    fn try_finish(&mut self) -> io::Result<()> {
        self.partial.flush()?;
        let partial = self.partial.get_mut();
        partial.sync_all()?;
        let partial_path = beside(&self.path, "partial");
        partial.seek(SeekFrom::Start(0))?;
        let (path, identity, journal) = (&self.path, &self.identity, &mut self.journal);
        match &self.format {
            Format::Lines => {
                fs::rename(&partial_path, path)?;
                return fs::remove_file(beside(path, "journal"));
            }
            Format::Tensors => tensors::write(path, identity, journal, partial)?,
            Format::Corpus => corpus::write(path, identity, journal, partial)?,
            Format::Table(table) if table.parts.is_some() => {
                // A folder of no rows has a file too, which tells its columns.
                if self.totals.part_rows > 0 || self.totals.parts == 0 {
                    self.seal()?;
                }
            }
            Format::Table(table) => {
                table::write(path, table.format, table.rows.schema(), partial)?;
            }
        }
        fs::remove_file(&partial_path)?;
        fs::remove_file(beside(&self.path, "journal"))
    }

    /// Keeps what was committed for the next run and says so on stderr, or
    /// removes the files if there is nothing to resume from.
    pub(crate) fn give_up(self, input: &Input) {
        let partial = beside(&self.path, "partial");
        match self.journal.committed() {
            texts if texts > 0 && input.can_be_skipped() => eprintln!(
                "note: {texts} texts are kept in {}; the same command resumes after them",
                partial.display()
            ),
            _ => {
                drop(fs::remove_file(partial));
                drop(fs::remove_file(beside(&self.path, "journal")));
            }
        }
    }

    fn error(&self, source: io::Error) -> Error {
        io_error(&self.path.display().to_string(), "writing", source)
    }
}

fn hash(name: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// The path with a second extension.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    name.into()
}
