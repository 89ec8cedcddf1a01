//! Texts from files or from standard input: lines, or rows of tables.

mod chunk;
mod files;
mod format;
mod hash;
mod lines;
mod position;
mod reader;
mod share;
mod skipped;
mod table;

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use arrow_schema::SchemaRef;
use multivec::{Error, Result};

use crate::console::io_error;
pub(crate) use chunk::{Chunk, InputText, Kept, NullText, text_name};
use format::Columns;
pub(crate) use format::{InputArguments, InputFormat};
use lines::Lines;
pub(crate) use position::Position;
use reader::Reader;
use share::Members;
pub(crate) use share::Share;
pub(crate) use skipped::{OnError, Skipped};
pub(crate) use table::Ids;
use table::Table;

/// What of an input is read, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// What becomes of lines that cannot be used.
    pub(crate) on_error: OnError,
    /// Columns of tables that are kept.
    pub(crate) keep: Vec<String>,
    /// The part of this process.
    pub(crate) share: Option<Share>,
}

/// Reads JSON Lines (an object with `text` and optionally `id` per line, blank
/// lines left out), plain text (one text per line), or tables.
pub(crate) struct Input {
    /// `None` is standard input.
    files: Vec<Option<PathBuf>>,
    format: Option<InputFormat>,
    columns: Columns,
    selection: Selection,
    /// The number of the file that is being read.
    at: usize,
    reader: Option<Reader>,
    /// Texts of all files before.
    before: usize,
    /// Of the files before.
    earlier: blake3::Hasher,
    /// What tables have beside texts; `None` for lines.
    kept: Option<SchemaRef>,
    /// Bytes of each file; `None` for standard input.
    sizes: Option<Vec<u64>>,
}

impl Input {
    /// Opens a file, the files of a folder, those that a pattern matches, or
    /// standard input for `-`.
    pub(crate) fn open(path: &Path, arguments: &InputArguments) -> Result<Self> {
        Self::select(path, arguments, Selection::default())
    }

    /// As [`open`](Self::open), with what is selected.
    pub(crate) fn select(
        path: &Path,
        arguments: &InputArguments,
        selection: Selection,
    ) -> Result<Self> {
        let files = match path.as_os_str() == "-" {
            true => vec![None],
            false => files::of(path)?.into_iter().map(Some).collect(),
        };
        let size = |file: &Option<PathBuf>| {
            let file = file.as_ref()?;
            Some(std::fs::metadata(file).map_or(0, |metadata| metadata.len()))
        };
        let mut input = Self {
            sizes: files.iter().map(size).collect(),
            files,
            format: arguments.format,
            columns: Columns {
                text: arguments.text_column.clone(),
                named_id: arguments.id_column.clone(),
                keep: selection.keep.clone(),
            },
            selection,
            at: 0,
            reader: None,
            before: 0,
            earlier: blake3::Hasher::new(),
            kept: None,
        };
        let first = input.open_file(0)?;
        if let Reader::Table(table) = &first {
            input.kept = Some(table.kept());
        }
        input.reader = Some(first);
        Ok(input)
    }

    pub(crate) fn on_error(&self) -> OnError {
        self.selection.on_error
    }

    /// The format, where it does not depend on what standard input has.
    pub(crate) fn format(&self) -> Option<InputFormat> {
        self.format_of(0)
    }

    /// What tables have beside texts: `id` where there are ids, and the columns
    /// that are kept. `None` for lines.
    pub(crate) fn kept(&self) -> Option<&SchemaRef> {
        self.kept.as_ref()
    }

    /// The first column that is kept beside ids.
    pub(crate) fn first_kept(&self) -> Option<&str> {
        self.columns.keep.first().map(String::as_str)
    }

    /// What differs between inputs of which not the same texts are read.
    pub(crate) fn reading(&self) -> String {
        format!("{:?} {:?}", self.columns, self.selection.share)
    }

    /// Whether a later run can skip what this one has read.
    pub(crate) fn can_be_skipped(&self) -> bool {
        self.sizes.is_some()
    }

    /// Bytes of all files; `None` for standard input.
    pub(crate) fn size(&self) -> Option<u64> {
        Some(self.sizes.as_ref()?.iter().sum())
    }

    /// Bytes read so far.
    pub(crate) fn bytes(&self) -> u64 {
        let sizes = self.sizes.as_deref().unwrap_or_default();
        let before: u64 = sizes.iter().take(self.at).sum();
        let size = sizes.get(self.at).copied().unwrap_or(0);
        before + self.reader.as_ref().map_or(0, |reader| reader.bytes(size))
    }

    /// The number of texts in a file.
    fn count(&self, at: usize) -> Result<usize> {
        self.open_file(at)?.starting_at(0, Members::None).count()
    }

    fn members(&self, file: usize) -> Members {
        let share = self.selection.share;
        share.map_or(Members::All, |share| share.members(file, self.files.len()))
    }

    fn format_of(&self, file: usize) -> Option<InputFormat> {
        let by_name = |path: &PathBuf| InputFormat::of_name(path);
        self.format
            .or_else(|| self.files.get(file)?.as_ref().map(by_name))
    }

    /// A file's name in messages.
    fn name(&self, file: usize) -> String {
        match self.files.get(file) {
            Some(Some(path)) => path.display().to_string(),
            _ => "-".to_owned(),
        }
    }

    fn failed(&self, file: usize, source: io::Error) -> Error {
        io_error(&self.name(file), "reading", source)
    }

    /// Opens a file at its start.
    fn open_file(&self, at: usize) -> Result<Reader> {
        let name = self.name(at);
        let format = self.format_of(at);
        let path = self.files.get(at).and_then(Option::as_ref);
        if let Some(format) = format.filter(|format| format.is_table()) {
            let table = Table::open(name, path.map(PathBuf::as_path), format, &self.columns)?;
            self.check_kept(&table)?;
            let reader = Reader::Table(Box::new(table));
            return Ok(reader.starting_at(self.before, self.members(at)));
        }
        if let Some(keep) = self.columns.keep.first() {
            let expected = "tables (.parquet, .arrow, .feather or .csv), which have columns";
            return Err(Error::option(
                "keep",
                expected,
                format!("`{keep}` of {name}"),
            ));
        }
        let lines = match path {
            None => Lines::new(io::stdin().lock(), name, format),
            Some(path) => {
                let file = File::open(path).map_err(|source| self.failed(at, source))?;
                Lines::new(BufReader::new(file), name, format)
            }
        };
        let lines = lines
            .with_columns(&self.columns)
            .with_on_error(self.selection.on_error);
        let reader = Reader::Lines(Box::new(lines));
        Ok(reader.starting_at(self.before, self.members(at)))
    }

    /// Refuses a table whose columns are not those of the first one.
    fn check_kept(&self, table: &Table) -> Result<()> {
        let Some(expected) = &self.kept else {
            return Ok(());
        };
        let found = table.kept();
        if *expected == found {
            return Ok(());
        }
        let show = |schema: &SchemaRef| {
            let fields = schema.fields().iter();
            let fields = fields.map(|field| format!("`{}` {}", field.name(), field.data_type()));
            fields.collect::<Vec<_>>().join(", ")
        };
        Err(Error::invalid_file(
            table.name(),
            format!("the columns of {}: {}", self.name(0), show(expected)),
            show(&found),
        ))
    }

    /// Reads the next chunk of texts; an empty one at the end.
    pub(crate) fn read_chunk(&mut self) -> Result<Chunk> {
        loop {
            let members = self.members(self.at);
            let Some(reader) = &mut self.reader else {
                return Ok(Chunk::default());
            };
            if members == Members::None {
                self.pass_over()?;
                continue;
            }
            let mut chunk = reader.read_chunk()?;
            if !chunk.is_empty() {
                for text in &mut chunk.texts {
                    text.file = self.at;
                }
                if self.files.len() > 1 {
                    let name = self.name(self.at);
                    for text in &mut chunk.skipped {
                        text.file = Some(name.clone());
                    }
                }
                return Ok(chunk);
            }
            self.next_file()?;
        }
    }

    /// Counts the texts of a file that another process reads.
    fn pass_over(&mut self) -> Result<()> {
        let count = self.count(self.at)?;
        self.earlier.update(&count.to_le_bytes());
        self.before += count;
        self.open_next()
    }

    fn next_file(&mut self) -> Result<()> {
        if let Some(reader) = &self.reader {
            self.before = reader.texts();
            if self.can_be_skipped() {
                let hash = reader.hash()?;
                self.earlier.update(hash.as_bytes());
            }
        }
        self.open_next()
    }

    fn open_next(&mut self) -> Result<()> {
        self.at += 1;
        let is_over = self.at == self.files.len();
        self.reader = match is_over {
            true => None,
            false => Some(self.open_file(self.at)?),
        };
        Ok(())
    }

    /// Reads all remaining texts.
    ///
    /// Fails with [`Error::InvalidInput`] for one that is null.
    pub(crate) fn read_all(&mut self) -> Result<Vec<InputText>> {
        let mut texts = Vec::new();
        loop {
            let chunk = self.read_chunk()?;
            if let Some(null) = chunk.nulls.first() {
                let name = self.name(self.at);
                return Err(Error::invalid_input(name, null.line, "a text", "null"));
            }
            if chunk.is_empty() {
                return Ok(texts);
            }
            texts.extend(chunk.texts);
        }
    }

    /// A text that is left out, since it could not be encoded.
    pub(crate) fn skipped(&self, text: &InputText, error: &Error) -> Skipped {
        let mut skipped = text.skipped(error);
        if self.files.len() > 1 {
            skipped.file = Some(self.name(text.file));
        }
        skipped
    }

    /// Where a text comes from, for messages.
    pub(crate) fn place(&self, text: &InputText) -> String {
        let place = format!("{}:{}", self.name(text.file), text.line);
        match &text.id {
            Some(id) => format!("{place}: id {id}"),
            None => place,
        }
    }
}
