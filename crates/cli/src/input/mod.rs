//! Texts from a file or from standard input, line by line.

mod format;
mod skipped;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use multivec::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::io_error;
use format::BYTE_ORDER_MARK;
pub(crate) use format::{InputArguments, InputFormat};
pub(crate) use skipped::{OnError, Skipped};

/// Texts per chunk: enough that batches find texts of similar length.
const CHUNK: usize = 1024;

/// Bytes after which a chunk ends, so that long texts do not fill memory.
const CHUNK_BYTES: u64 = 1 << 20;

/// Maximum bytes of a line.
const LONGEST_LINE: u64 = 256 << 20;

/// A text and its id, if the line has one.
#[derive(Debug, PartialEq)]
pub(crate) struct InputText {
    pub(crate) text: String,
    pub(crate) id: Option<Value>,
    /// Position in the input, from 0.
    pub(crate) index: usize,
    /// Line number, from 1.
    pub(crate) line: usize,
}

/// The name of a text in outputs: its id, or its position in the input.
pub(crate) fn text_name(index: usize, id: &Value) -> String {
    match id {
        Value::Null => index.to_string(),
        Value::String(id) => id.clone(),
        other => other.to_string(),
    }
}

#[derive(Deserialize)]
struct JsonLine {
    text: String,
    #[serde(default)]
    id: Option<Value>,
}

/// Consecutive texts of an input. Only at its end there are neither texts nor
/// skipped lines.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    pub(crate) texts: Vec<InputText>,
    pub(crate) skipped: Vec<Skipped>,
}

impl Chunk {
    pub(crate) fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.skipped.is_empty()
    }
}

/// How far an input has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    bytes: u64,
    lines: usize,
    /// Texts, those that were skipped included.
    texts: usize,
    /// BLAKE3 hash of these bytes, in hexadecimal digits.
    hash: String,
}

/// Reads JSON Lines (an object with `text` and optionally `id` per line, blank
/// lines left out) or plain text (one text per line).
pub(crate) struct Input {
    lines: Box<dyn BufRead>,
    name: String,
    /// `None` until the first bytes of standard input tell.
    format: Option<InputFormat>,
    on_error: OnError,
    /// Lines read so far.
    line: usize,
    /// Texts read so far.
    texts: usize,
    /// Bytes read so far.
    pub(crate) bytes: u64,
    /// Bytes of the file; `None` for standard input.
    pub(crate) size: Option<u64>,
    longest_line: u64,
    /// The file, to be opened again; `None` for standard input.
    path: Option<PathBuf>,
    hasher: blake3::Hasher,
}

impl Input {
    /// Opens a file, or standard input for `-`.
    pub(crate) fn open(path: &Path, arguments: &InputArguments) -> Result<Self> {
        let name = path.display().to_string();
        if name == "-" {
            return Ok(Self::new(io::stdin().lock(), name, arguments.format));
        }
        let open = || {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        let (file, size) = open().map_err(|source| io_error(&name, "reading", source))?;
        let format = arguments.format.unwrap_or(InputFormat::of_name(path));
        let mut input = Self::new(BufReader::new(file), name, Some(format));
        input.path = Some(path.to_owned());
        input.size = Some(size);
        Ok(input)
    }

    fn new(lines: impl BufRead + 'static, name: String, format: Option<InputFormat>) -> Self {
        Self {
            lines: Box::new(lines),
            name,
            format,
            on_error: OnError::Fail,
            line: 0,
            texts: 0,
            bytes: 0,
            size: None,
            longest_line: LONGEST_LINE,
            path: None,
            hasher: blake3::Hasher::new(),
        }
    }

    /// Sets what becomes of lines that cannot be used.
    pub(crate) fn with_on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    pub(crate) fn on_error(&self) -> OnError {
        self.on_error
    }

    /// The format, where it does not depend on what standard input has.
    pub(crate) fn format(&self) -> Option<InputFormat> {
        self.format
    }

    /// Whether a later run can skip what this one has read.
    pub(crate) fn can_be_skipped(&self) -> bool {
        self.path.is_some()
    }

    /// How far the input has been read.
    pub(crate) fn position(&self) -> Position {
        Position {
            bytes: self.bytes,
            lines: self.line,
            texts: self.texts,
            hash: self.hasher.finalize().to_hex().to_string(),
        }
    }

    /// Skips what an earlier run has read, if it still has the same content.
    /// Otherwise stays at the start and returns `false`.
    pub(crate) fn skip(&mut self, read: &Position) -> Result<bool> {
        let Some(path) = &self.path else {
            return Ok(false);
        };
        let again = || {
            let mut file = File::open(path)?;
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader((&mut file).take(read.bytes))?;
            let is_same = hasher.finalize().to_hex().as_str() == read.hash;
            Ok(is_same.then_some((file, hasher)))
        };
        let found = again().map_err(|source| io_error(&self.name, "reading", source))?;
        let Some((file, hasher)) = found else {
            return Ok(false);
        };
        self.lines = Box::new(BufReader::new(file));
        (self.bytes, self.line, self.texts) = (read.bytes, read.lines, read.texts);
        self.hasher = hasher;
        Ok(true)
    }

    /// Reads the next chunk of texts; an empty one at the end.
    pub(crate) fn read_chunk(&mut self) -> Result<Chunk> {
        let (mut chunk, start) = (Chunk::default(), self.bytes);
        while chunk.texts.len() + chunk.skipped.len() < CHUNK && self.bytes - start < CHUNK_BYTES {
            match self.read_text() {
                Ok(Some(text)) => chunk.texts.push(text),
                Ok(None) => break,
                Err(Error::InvalidInput {
                    expected, found, ..
                }) if self.on_error == OnError::Skip => chunk.skipped.push(Skipped {
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

    /// Reads all remaining texts.
    pub(crate) fn read_all(&mut self) -> Result<Vec<InputText>> {
        std::iter::from_fn(|| self.read_text().transpose()).collect()
    }

    /// Where a text comes from, for messages.
    pub(crate) fn place(&self, text: &InputText) -> String {
        match &text.id {
            Some(id) => format!("{}:{}: id {id}", self.name, text.line),
            None => format!("{}:{}", self.name, text.line),
        }
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
            if bytes.len() as u64 == self.longest_line && !bytes.ends_with(b"\n") {
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
            InputFormat::Text => JsonLine {
                text: text.to_owned(),
                id: None,
            },
            InputFormat::Jsonl => serde_json::from_str(text).map_err(|error| {
                self.invalid("a JSON object with the key `text`", &error.to_string())
            })?,
        };
        Ok(InputText {
            text: line.text,
            id: line.id,
            index: self.texts - 1,
            line: self.line,
        })
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
