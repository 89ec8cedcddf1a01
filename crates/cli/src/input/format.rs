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
}

/// The format of input files.
#[derive(Args)]
pub(crate) struct InputArguments {
    /// Format of the texts [default: by the file's name; on stdin `jsonl` if it
    /// starts with `{`].
    #[arg(long)]
    pub(crate) format: Option<InputFormat>,
}

impl InputFormat {
    pub(super) fn of_name(path: &Path) -> Self {
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            Self::Jsonl
        } else {
            Self::Text
        }
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
