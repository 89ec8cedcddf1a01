//! What commands print.

use std::io::{self, Write};

use multivec::{Error, Result};

/// How a command prints its results.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// Whether a model met all thresholds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Met,
    Missed,
}

/// Prints a line on stdout.
pub(crate) fn print(line: &str) -> Result<()> {
    writeln!(io::stdout().lock(), "{line}").map_err(|source| io_error("-", "writing", source))
}

pub(crate) fn io_error(path: &str, action: &'static str, source: io::Error) -> Error {
    Error::io(path, action, source)
}

pub(crate) fn is_closed_pipe(error: &Error) -> bool {
    matches!(error, Error::Io { path, source, .. }
        if path == "-" && source.kind() == io::ErrorKind::BrokenPipe)
}
