//! Texts from a file or from standard input, line by line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use multivec::{Error, Result};
use serde::Deserialize;
use serde_json::Value;

use super::io_error;

/// One text, with its id where the line has one.
#[derive(Debug, PartialEq)]
pub(super) struct InputText {
    pub(super) text: String,
    pub(super) id: Option<Value>,
}

#[derive(Deserialize)]
struct JsonLine {
    text: String,
    #[serde(default)]
    id: Option<Value>,
}

/// Reads `.jsonl` (an object with `text`, and perhaps `id`, on each line) or
/// plain text (one text a line).
pub(super) struct Input {
    lines: Box<dyn BufRead>,
    name: String,
    is_json: bool,
    line: usize,
    /// Bytes read so far.
    pub(super) bytes: u64,
}

impl Input {
    /// Opens a file; `-` is standard input, as plain text. Also gives the
    /// file's size.
    pub(super) fn open(path: &Path) -> Result<(Self, Option<u64>)> {
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
        Ok((Self::new(BufReader::new(file), name, is_json), Some(size)))
    }

    fn new(lines: impl BufRead + 'static, name: String, is_json: bool) -> Self {
        Self {
            lines: Box::new(lines),
            name,
            is_json,
            line: 0,
            bytes: 0,
        }
    }

    /// Reads up to `most` texts; none at the end.
    pub(super) fn read(&mut self, most: usize) -> Result<Vec<InputText>> {
        let mut texts = Vec::new();
        while texts.len() < most {
            let mut bytes = Vec::new();
            let read = self
                .lines
                .read_until(b'\n', &mut bytes)
                .map_err(|source| io_error(&self.name, "reading", source))?;
            if read == 0 {
                break;
            }
            self.bytes += read as u64;
            self.line += 1;
            texts.push(self.parse(bytes)?);
        }
        Ok(texts)
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
        Error::InvalidInput {
            file: self.name.clone(),
            line: self.line,
            expected,
            found: found.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &'static [u8], is_json: bool) -> Result<Vec<InputText>> {
        Input::new(bytes, "texts".to_owned(), is_json).read(10)
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
