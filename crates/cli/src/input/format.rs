//! The formats of texts, and how they are told apart.

use std::io::{self, BufRead};
use std::path::Path;

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// The byte order mark that some programs begin files in UTF-8 with.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Most white space at the start of an input that is to be told apart.
const LONGEST_BLANK: usize = 1 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
pub(crate) enum InputFormat {
    /// An object with `text` and perhaps `id` on each line.
    Jsonl,
    /// A text on each line.
    Text,
    /// Parquet.
    Parquet,
    /// Arrow's IPC format, of files (Feather version 2) or streams.
    Arrow,
    /// Comma-separated values, with the names of columns in the first row.
    Csv,
}

/// How input files are read.
#[derive(Args)]
pub(crate) struct InputArguments {
    /// Format of the texts [default: by the file's name; on stdin `jsonl` if it
    /// starts with `{`].
    #[arg(long)]
    pub(crate) format: Option<InputFormat>,
    /// The column of a table that has the texts, or the key of JSON Lines.
    #[arg(long, value_name = "NAME", default_value = TEXT)]
    pub(crate) text_column: String,
    /// The column that has the ids [default: `id` where there is one].
    #[arg(long, value_name = "NAME")]
    pub(crate) id_column: Option<String>,
}

const TEXT: &str = "text";
const ID: &str = "id";

/// The columns that are read.
#[derive(Clone, Debug)]
pub(super) struct Columns {
    pub(super) text: String,
    /// The column that was named.
    pub(super) named_id: Option<String>,
    /// Those that are kept.
    pub(super) keep: Vec<String>,
}

impl Default for Columns {
    fn default() -> Self {
        Self {
            text: TEXT.to_owned(),
            named_id: None,
            keep: Vec::new(),
        }
    }
}

impl Columns {
    pub(super) fn id(&self) -> &str {
        self.named_id.as_deref().unwrap_or(ID)
    }

    /// Whether texts and ids are where they are by default.
    pub(super) fn are_default(&self) -> bool {
        self.text == TEXT && self.id() == ID
    }
}

impl InputFormat {
    /// The format that a file's name tells.
    pub(crate) fn of_name(path: &Path) -> Self {
        let ending = path.extension().and_then(|ending| ending.to_str());
        ending.and_then(Self::of_ending).unwrap_or(Self::Text)
    }

    /// The format of files that end so, of those that folders are searched for.
    pub(super) fn of_ending(ending: &str) -> Option<Self> {
        Some(match ending {
            "jsonl" => Self::Jsonl,
            "txt" => Self::Text,
            "parquet" => Self::Parquet,
            "arrow" | "feather" => Self::Arrow,
            "csv" => Self::Csv,
            _ => return None,
        })
    }

    /// Whether files of it have columns.
    pub(super) fn is_table(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::Csv)
    }
}

/// What was read of an input to find its format.
pub(super) struct Start {
    pub(super) bytes: Vec<u8>,
    pub(super) format: InputFormat,
}

/// Reads up to the first byte that is not white space: `{` starts JSON Lines.
pub(super) fn tell_apart(input: &mut dyn BufRead) -> io::Result<Start> {
    let mut bytes = Vec::new();
    loop {
        let more = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            more => more?,
        };
        let read = more.len();
        bytes.extend_from_slice(more);
        input.consume(read);
        let is_over = read == 0 || bytes.len() > LONGEST_BLANK;
        if !is_over && BYTE_ORDER_MARK.starts_with(&bytes) {
            continue;
        }
        let content = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let first = content.iter().find(|byte| !byte.is_ascii_whitespace());
        let format = match first {
            Some(b'{') => InputFormat::Jsonl,
            None if !is_over => continue,
            _ => InputFormat::Text,
        };
        return Ok(Start { bytes, format });
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    /// Gives a byte at a time, as slow pipes do.
    struct Slow(&'static [u8]);

    impl Read for Slow {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let most = into.len().min(1);
            self.0.read(&mut into[..most])
        }
    }

    #[test]
    fn the_first_byte_that_is_not_blank_tells() {
        let cases: [(&[u8], InputFormat); 8] = [
            (b"{\"text\": \"a\"}", InputFormat::Jsonl),
            (b"\xef\xbb\xbf{", InputFormat::Jsonl),
            (b"\n \r\n\t{", InputFormat::Jsonl),
            (b"\xef\xbb\xbf\n{", InputFormat::Jsonl),
            (b"a {", InputFormat::Text),
            (b"", InputFormat::Text),
            (b" \n", InputFormat::Text),
            (b"\xef\xbb", InputFormat::Text),
        ];
        for (content, expected) in cases {
            let mut slow = BufReader::new(Slow(content));
            let mut fast = content;
            for input in [&mut slow as &mut dyn BufRead, &mut fast] {
                let start = tell_apart(input).expect("it can be read");
                assert_eq!(start.format, expected, "{content:?}");
                assert!(content.starts_with(&start.bytes));
            }
        }
    }

    #[test]
    fn blank_input_without_an_end_is_text() {
        let mut blank = BufReader::new(io::repeat(b' '));
        let start = tell_apart(&mut blank).expect("it can be read");
        assert_eq!(start.format, InputFormat::Text);
        assert!(start.bytes.len() < 2 * LONGEST_BLANK);
    }
}
