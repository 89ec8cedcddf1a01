//! Texts from a file or from standard input, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use multivec::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::console::io_error;

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
}

#[derive(Deserialize)]
struct JsonLine {
    text: String,
    #[serde(default)]
    id: Option<Value>,
}

/// How far an input has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    bytes: u64,
    lines: usize,
    /// BLAKE3 hash of these bytes, in hexadecimal digits.
    hash: String,
}

/// Reads `.jsonl` (an object with `text` and optionally `id` per line) or plain
/// text (one text per line).
pub(crate) struct Input {
    lines: Box<dyn BufRead>,
    name: String,
    is_json: bool,
    line: usize,
    /// Bytes read so far.
    pub(crate) bytes: u64,
    /// The file, to be opened again; `None` for standard input.
    path: Option<PathBuf>,
    hasher: blake3::Hasher,
}

impl Input {
    /// Opens a file and returns its size too; `-` is plain text from standard
    /// input.
    pub(crate) fn open(path: &Path) -> Result<(Self, Option<u64>)> {
        let name = path.display().to_string();
        if name == "-" {
            return Ok((Self::new(io::stdin().lock(), name, false), None));
        }
        let open = || {
            let file = File::open(path)?;
            let size = file.metadata()?.len();
            Ok((file, size))
        };
        let (file, size) = open().map_err(|source| io_error(&name, "reading", source))?;
        let is_json = path.extension().is_some_and(|ending| ending == "jsonl");
        let mut input = Self::new(BufReader::new(file), name, is_json);
        input.path = Some(path.to_owned());
        Ok((input, Some(size)))
    }

    fn new(lines: impl BufRead + 'static, name: String, is_json: bool) -> Self {
        Self {
            lines: Box::new(lines),
            name,
            is_json,
            line: 0,
            bytes: 0,
            path: None,
            hasher: blake3::Hasher::new(),
        }
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
        (self.bytes, self.line, self.hasher) = (read.bytes, read.lines, hasher);
        Ok(true)
    }

    /// Reads the next chunk of texts; an empty one at the end.
    pub(crate) fn read_chunk(&mut self) -> Result<Vec<InputText>> {
        let (mut texts, start) = (Vec::new(), self.bytes);
        while texts.len() < CHUNK && self.bytes - start < CHUNK_BYTES {
            match self.read_text()? {
                Some(text) => texts.push(text),
                None => break,
            }
        }
        Ok(texts)
    }

    /// Reads all remaining texts.
    pub(crate) fn read_all(&mut self) -> Result<Vec<InputText>> {
        std::iter::from_fn(|| self.read_text().transpose()).collect()
    }

    fn read_text(&mut self) -> Result<Option<InputText>> {
        let mut bytes = Vec::new();
        let read = (&mut self.lines)
            .take(LONGEST_LINE)
            .read_until(b'\n', &mut bytes)
            .map_err(|source| io_error(&self.name, "reading", source))?;
        if read == 0 {
            return Ok(None);
        }
        self.hasher.update(&bytes);
        self.bytes += read as u64;
        self.line += 1;
        if read as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
            return Err(self.invalid("a line of at most 256 MiB", "a longer one"));
        }
        self.parse(bytes).map(Some)
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<InputText> {
        let text = String::from_utf8(bytes)
            .map_err(|error| self.invalid("text in UTF-8", &error.utf8_error().to_string()))?;
        let text = text.strip_suffix('\n').unwrap_or(&text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if !self.is_json {
            return Ok(InputText {
                text: text.to_owned(),
                id: None,
            });
        }
        let line: JsonLine = serde_json::from_str(text).map_err(|error| {
            self.invalid("a JSON object with the key `text`", &error.to_string())
        })?;
        Ok(InputText {
            text: line.text,
            id: line.id,
        })
    }

    fn invalid(&self, expected: &'static str, found: &str) -> Error {
        Error::invalid_input(&self.name, self.line, expected, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8], is_json: bool) -> Result<Vec<InputText>> {
        Input::new(bytes, "texts".to_owned(), is_json).read_all()
    }

    #[test]
    fn plain_lines() {
        let found = read(b"one\r\n\n two", false).expect("three lines");
        let texts: Vec<&str> = found.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["one", "", " two"]);
    }

    #[test]
    fn json_lines_keep_ids() {
        let found = read(
            b"{\"text\": \"a\", \"id\": 7}\n{\"text\": \"b\", \"x\": 1}\n",
            true,
        )
        .expect("two lines");
        assert_eq!(found[0].id, Some(7.into()));
        assert_eq!(found[1].id, None);
    }

    #[test]
    fn bad_lines_are_named() {
        let error = read(b"{\"text\": \"a\"}\n{\"txt\": 1}\n", true).expect_err("no text");
        let message = error.to_string();
        assert!(
            message.starts_with("texts:2: expected a JSON object"),
            "{message}"
        );
        let error = read(b"ok\n\xff\n", false).expect_err("no UTF-8");
        assert!(
            error
                .to_string()
                .starts_with("texts:2: expected text in UTF-8")
        );
    }
}
