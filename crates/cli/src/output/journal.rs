//! The journal of an output: a line that identifies it, and one per commit.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::stored::StoredKind;
use crate::input::{InputFormat, Position, Skipped};

/// What two runs must have in common for one to resume the other's output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// The kind of embeddings.
    pub(crate) model: StoredKind,
    pub(crate) kind: String,
    pub(crate) space: String,
    pub(crate) computed: String,
    /// Repository and commit of a model of a hub.
    pub(crate) origin: Option<String>,
    pub(crate) dim: usize,
    /// Columns of the vectors of tokens, where those of texts have others.
    #[serde(default)]
    pub(crate) token_dim: usize,
    /// The encoding options, in a form that differs where they do.
    pub(crate) options: String,
    /// How the input is read.
    pub(crate) format: Option<InputFormat>,
    /// The precision of a corpus or of a table.
    #[serde(default)]
    pub(crate) store: Option<String>,
    /// The ranges of integers, smallest and largest values; `None` for those of
    /// the texts.
    #[serde(default)]
    pub(crate) ranges: Option<[Vec<f32>; 2]>,
    /// The factor by which rows are pooled.
    #[serde(default)]
    pub(crate) pooling: Option<usize>,
    /// Which columns and which texts are read.
    #[serde(default)]
    pub(crate) reading: String,
}

/// What was written so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) texts: usize,
    /// Rows of vectors.
    pub(crate) tokens: usize,
    pub(crate) truncated: usize,
    /// Texts of the input that are left out.
    pub(crate) skipped: usize,
    /// Texts that are null.
    #[serde(default)]
    pub(crate) nulls: usize,
    /// Bytes of the partial file.
    pub(crate) length: u64,
    /// Files of a folder that are complete.
    #[serde(default)]
    pub(crate) parts: usize,
    /// Rows since the last of them.
    #[serde(default)]
    pub(crate) part_rows: usize,
    /// Upper bound of the bytes of the header of a file of tensors.
    pub(crate) header: usize,
    /// How far the input has been read.
    pub(crate) input: Position,
}

/// What a commit keeps for the header of a file of tensors, and for the list of
/// what was left out.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The position of each text in the input.
    pub(crate) indices: Vec<usize>,
    /// Rows of each text.
    pub(crate) rows: Vec<usize>,
    /// Weights of each text beside its vectors.
    #[serde(default)]
    pub(crate) weights: Vec<usize>,
    /// `null` for a text without an id.
    pub(crate) ids: Vec<Value>,
    pub(crate) skipped: Vec<Skipped>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    totals: Totals,
    record: Record,
}

pub(crate) struct Journal {
    file: File,
    committed: usize,
}

impl Journal {
    /// Opens and locks the file.
    ///
    /// Fails if another process has it locked.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        let file = options.open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file, committed: 0 }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process is writing it",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Texts in all commits.
    pub(crate) fn committed(&self) -> usize {
        self.committed
    }

    /// The state of the last commit that is complete, and whose data is within
    /// the first `kept` bytes of the partial file, which starts over with each
    /// part. Truncates the journal after it. `None` if the journal has another
    /// identity or no commit.
    pub(crate) fn read(&mut self, identity: &Identity, kept: u64) -> io::Result<Option<Totals>> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::new(&self.file);
        let (mut line, mut end) = (Vec::new(), 0);
        let mut next = |line: &mut Vec<u8>| {
            line.clear();
            lines.read_until(b'\n', line)
        };
        end += next(&mut line)? as u64;
        if serde_json::from_slice::<Identity>(&line).ok().as_ref() != Some(identity) {
            return Ok(None);
        }
        let (mut state, mut read): (Option<Totals>, u64) = (None, end);
        let mut parts = 0;
        loop {
            read += next(&mut line)? as u64;
            let found = serde_json::from_slice::<Line>(&line).ok();
            let Some(found) = found.filter(|_| line.ends_with(b"\n")) else {
                break;
            };
            // What is in parts is no longer in the partial file.
            if found.totals.parts > parts {
                (parts, state) = (found.totals.parts, None);
            }
            if found.totals.length <= kept {
                (state, end) = (Some(found.totals), read);
            }
        }
        self.committed = state.as_ref().map_or(0, |totals: &Totals| totals.texts);
        self.file.set_len(end)?;
        self.file.seek(SeekFrom::End(0))?;
        Ok(state)
    }

    /// Clears the journal and starts it with this identity.
    pub(crate) fn start(&mut self, identity: &Identity) -> io::Result<()> {
        self.committed = 0;
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.append_line(identity)
    }

    /// Adds a commit; it is durable when this returns.
    pub(crate) fn append(&mut self, totals: &Totals, record: Record) -> io::Result<()> {
        self.append_line(&Line {
            totals: totals.clone(),
            record,
        })?;
        self.committed = totals.texts;
        Ok(())
    }

    fn append_line(&mut self, line: &impl Serialize) -> io::Result<()> {
        let mut bytes = serde_json::to_vec(line)?;
        bytes.push(b'\n');
        self.file.write_all(&bytes)?;
        self.file.sync_data()
    }

    /// Calls `visit` with each commit's record, in order.
    pub(crate) fn records(
        &mut self,
        mut visit: impl FnMut(Record) -> io::Result<()>,
    ) -> io::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut lines = BufReader::new(&self.file);
        let mut line = String::new();
        // Skips the identity.
        lines.read_line(&mut line)?;
        loop {
            line.clear();
            if lines.read_line(&mut line)? == 0 {
                return Ok(());
            }
            visit(serde_json::from_str::<Line>(&line)?.record)?;
        }
    }
}
