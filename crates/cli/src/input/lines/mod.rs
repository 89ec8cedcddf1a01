//! Texts line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::Path;

use multivec::{Error, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::chunk::{CHUNK, CHUNK_BYTES, Chunk, InputText};
use super::format::{self, BYTE_ORDER_MARK, Columns, InputFormat};
use super::share::Members;
use super::skipped::{OnError, Skipped};
use crate::console::io_error;

/// Maximum bytes of a line.
const LONGEST_LINE: u64 = 256 << 20;

#[derive(Deserialize)]
struct JsonLine {
    text: String,
    #[serde(default)]
    id: Option<Value>,
}

/// How far lines have been read.
pub(super) struct LinesPosition {
    pub(super) bytes: u64,
    pub(super) lines: usize,
    /// BLAKE3 hash of these bytes, in hexadecimal digits.
    pub(super) hash: String,
}

/// Reads JSON Lines (an object with `text` and optionally `id` per line, blank
/// lines left out) or plain text (one text per line).
pub(super) struct Lines {
    lines: Box<dyn BufRead>,
    name: String,
    /// `None` until the first bytes of standard input tell.
    format: Option<InputFormat>,
    columns: Columns,
    on_error: OnError,
    /// Lines read so far.
    line: usize,
    /// The position of the next text in the input.
    texts: usize,
    /// Which texts are read.
    members: Members,
    /// Bytes read so far.
    pub(super) bytes: u64,
    pub(super) longest_line: u64,
    hasher: blake3::Hasher,
}

impl Lines {
    pub(super) fn new(
        lines: impl BufRead + 'static,
        name: String,
        format: Option<InputFormat>,
    ) -> Self {
        Self {
            lines: Box::new(lines),
            name,
            format,
            columns: Columns::default(),
            on_error: OnError::Fail,
            line: 0,
            texts: 0,
            members: Members::All,
            bytes: 0,
            longest_line: LONGEST_LINE,
            hasher: blake3::Hasher::new(),
        }
    }

    /// Sets the keys of texts and ids.
    pub(super) fn with_columns(mut self, columns: &Columns) -> Self {
        self.columns = columns.clone();
        self
    }

    /// Sets what becomes of lines that cannot be used.
    pub(super) fn with_on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Sets the position of the first text, and which are read.
    pub(super) fn with_members(mut self, first: usize, members: Members) -> Self {
        (self.texts, self.members) = (first, members);
        self
    }

    /// The position of the next text in the input.
    pub(super) fn texts(&self) -> usize {
        self.texts
    }

    pub(super) fn position(&self) -> LinesPosition {
        LinesPosition {
            bytes: self.bytes,
            lines: self.line,
            hash: self.hasher.finalize().to_hex().to_string(),
        }
    }

    /// Skips what an earlier run has read of the file, if it still has the same
    /// content. Otherwise stays at the start and returns `false`.
    pub(super) fn skip(&mut self, path: &Path, read: &LinesPosition) -> io::Result<bool> {
        let mut file = File::open(path)?;
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader((&mut file).take(read.bytes))?;
        if hasher.finalize().to_hex().as_str() != read.hash {
            return Ok(false);
        }
        self.lines = Box::new(BufReader::new(file));
        (self.bytes, self.line) = (read.bytes, read.lines);
        self.hasher = hasher;
        Ok(true)
    }

    /// Reads the next chunk of texts; an empty one at the end.
    pub(super) fn read_chunk(&mut self) -> Result<Chunk> {
        let (mut chunk, start) = (Chunk::default(), self.bytes);
        while chunk.texts.len() + chunk.skipped.len() < CHUNK && self.bytes - start < CHUNK_BYTES {
            match self.read_text() {
                Ok(Some(text)) => chunk.texts.push(text),
                Ok(None) => break,
                Err(Error::InvalidInput {
                    expected, found, ..
                }) if self.on_error == OnError::Skip => chunk.skipped.push(Skipped {
                    file: None,
                    line: self.line,
                    index: self.texts - 1,
                    id: Value::Null,
                    reason: format!("expected {expected}, found {found}"),
                }),
                Err(error) => return Err(error),
            }
        }
        Ok(chunk)
    }

    /// Fails with [`Error::InvalidInput`] for a line that cannot be used; the
    /// next call reads the line after it.
    fn read_text(&mut self) -> Result<Option<InputText>> {
        let format = match self.format {
            Some(format) => format,
            None => self.tell_apart().map_err(|source| self.failed(source))?,
        };
        loop {
            let bytes = self.read_line().map_err(|source| self.failed(source))?;
            let Some(bytes) = bytes else {
                return Ok(None);
            };
            let content = match self.line {
                1 => bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes),
                _ => &bytes,
            };
            if format == InputFormat::Jsonl && content.trim_ascii().is_empty() {
                continue;
            }
            self.texts += 1;
            let is_cut = bytes.len() as u64 == self.longest_line && !bytes.ends_with(b"\n");
            if !self.members.contain(self.texts - 1) {
                if is_cut {
                    self.finish_line().map_err(|source| self.failed(source))?;
                }
                continue;
            }
            if is_cut {
                if self.on_error == OnError::Skip {
                    self.finish_line().map_err(|source| self.failed(source))?;
                }
                let found = "a longer one";
                return Err(self.invalid("a line of at most 256 MiB", found));
            }
            return self.parse(content, format).map(Some);
        }
    }

    fn tell_apart(&mut self) -> io::Result<InputFormat> {
        let start = format::tell_apart(&mut self.lines)?;
        let rest = std::mem::replace(&mut self.lines, Box::new(io::empty()));
        self.lines = Box::new(Cursor::new(start.bytes).chain(rest));
        self.format = Some(start.format);
        Ok(start.format)
    }

    /// Reads a line with its ending, or the start of one that is too long.
    fn read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        let mut bounded = (&mut self.lines).take(self.longest_line);
        let read = bounded.read_until(b'\n', &mut bytes)?;
        if read == 0 {
            return Ok(None);
        }
        self.hasher.update(&bytes);
        self.bytes += read as u64;
        self.line += 1;
        Ok(Some(bytes))
    }

    /// Reads the rest of a line that is too long.
    fn finish_line(&mut self) -> io::Result<()> {
        loop {
            let more = match self.lines.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                more => more?,
            };
            let end = more.iter().position(|&byte| byte == b'\n');
            let read = end.map_or(more.len(), |at| at + 1);
            self.hasher.update(&more[..read]);
            self.lines.consume(read);
            self.bytes += read as u64;
            if end.is_some() || read == 0 {
                return Ok(());
            }
        }
    }

    fn parse(&self, bytes: &[u8], format: InputFormat) -> Result<InputText> {
        let text = str::from_utf8(bytes)
            .map_err(|error| self.invalid("text in UTF-8", &error.to_string()))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        let line = match format {
            InputFormat::Jsonl if self.columns.are_default() => serde_json::from_str(text)
                .map_err(|error| {
                    self.invalid("a JSON object with the key `text`", &error.to_string())
                })?,
            InputFormat::Jsonl => self.parse_object(text)?,
            _ => JsonLine {
                text: text.to_owned(),
                id: None,
            },
        };
        Ok(InputText {
            text: line.text,
            id: line.id,
            file: 0,
            index: self.texts - 1,
            line: self.line,
        })
    }

    /// An object whose keys the command names.
    fn parse_object(&self, text: &str) -> Result<JsonLine> {
        const EXPECTED: &str = "a JSON object with a string under the key that --text-column names";
        let mut object: Map<String, Value> = serde_json::from_str(text)
            .map_err(|error| self.invalid(EXPECTED, &error.to_string()))?;
        match object.remove(&self.columns.text) {
            Some(Value::String(text)) => Ok(JsonLine {
                text,
                id: object.remove(self.columns.id()),
            }),
            Some(other) => Err(self.invalid(EXPECTED, &format!("{other} there"))),
            None => Err(self.invalid(EXPECTED, &format!("no `{}`", self.columns.text))),
        }
    }

    fn invalid(&self, expected: &'static str, found: &str) -> Error {
        Error::invalid_input(&self.name, self.line, expected, found)
    }

    fn failed(&self, source: io::Error) -> Error {
        io_error(&self.name, "reading", source)
    }
}

#[cfg(test)]
mod tests;
