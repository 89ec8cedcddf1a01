//! The files of a folder that tables are written to.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use multivec::{Error, Result};

use super::super::journal::Totals;
use crate::console::io_error;
use crate::input::Share;

/// Bytes of rows after which a file ends.
const BYTES: u64 = 512 << 20;

const ENDING: &str = ".parquet";

/// `part-00000.parquet` and so on; of one process among several
/// `part-2-of-4-00000.parquet`.
pub(crate) struct Parts {
    folder: PathBuf,
    prefix: String,
    /// Rows after which a file ends.
    rows: usize,
}

impl Parts {
    pub(crate) fn new(folder: &Path, share: Option<Share>, rows: Option<usize>) -> Self {
        let prefix = match share {
            None => "part-".to_owned(),
            Some(Share { index, count }) => {
                let width = count.to_string().len();
                format!("part-{:0width$}-of-{count}-", index + 1)
            }
        };
        Self {
            folder: folder.to_owned(),
            prefix,
            rows: rows.unwrap_or(usize::MAX),
        }
    }

    /// Makes the folder, and refuses one that has files of a run that is
    /// complete. `is_interrupted` tells of a run that is not.
    pub(crate) fn prepare(&self, is_interrupted: impl FnOnce(&Path) -> bool) -> Result<()> {
        let fail = |source| io_error(&self.folder.display().to_string(), "writing", source);
        fs::create_dir_all(&self.folder).map_err(fail)?;
        let found = self.files().map_err(fail)?;
        match found.first() {
            Some(found) if !is_interrupted(&self.base()) => {
                let expected = "a folder without files of another run";
                Err(Error::option("output", expected, found.display()))
            }
            _ => Ok(()),
        }
    }

    /// What the names of the partial file and of the journal start with. They
    /// are hidden, so that readers of the folder pass over them.
    pub(crate) fn base(&self) -> PathBuf {
        self.folder.join(format!(".{}run", self.prefix))
    }

    pub(crate) fn path(&self, part: usize) -> PathBuf {
        self.folder
            .join(format!("{}{part:05}{ENDING}", self.prefix))
    }

    /// Whether the partial file is to become a part.
    pub(crate) fn is_full(&self, totals: &Totals) -> bool {
        totals.part_rows >= self.rows || totals.length >= BYTES
    }

    /// Whether all parts that were written are there.
    pub(crate) fn are_there(&self, parts: usize) -> bool {
        (0..parts).all(|part| self.path(part).is_file())
    }

    /// Removes the parts of a run that starts over.
    pub(crate) fn remove(&self) -> io::Result<()> {
        self.files()?.into_iter().try_for_each(fs::remove_file)
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let is_part = |name: &str| {
            let number = name
                .strip_prefix(&self.prefix)
                .and_then(|name| name.strip_suffix(ENDING));
            number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_name().to_str().is_some_and(is_part) {
                found.push(entry.path());
            }
        }
        found.sort();
        Ok(found)
    }
}
