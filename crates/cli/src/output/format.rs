//! The format of an output, by its name.

use std::path::Path;

use multivec::{Error, Result};

use super::corpus;
use super::journal::Identity;
use super::stored::StoredKind;
use super::table::{Parts, Rows, TableFormat};
use crate::input::{Input, Share};
use crate::parquet_files::can_write;

pub(super) enum Format {
    /// `.jsonl`: an object per text.
    Lines,
    /// `.safetensors`: a tensor per text. The partial file has their rows alone,
    /// since the format puts all shapes first.
    Tensors,
    /// With `--store`: a corpus, made of rows as they are for tensors.
    Corpus,
    /// `.parquet`, `.arrow` or `.feather`: a row per text.
    Table(Box<Table>),
}

pub(super) struct Table {
    pub(super) format: TableFormat,
    pub(super) rows: Rows,
    /// Where the output is a folder.
    pub(super) parts: Option<Parts>,
}

/// Where embeddings go.
pub(crate) struct Target<'a> {
    pub(crate) path: &'a Path,
    /// The part of this process.
    pub(crate) share: Option<Share>,
    /// Rows after which a file of a folder ends.
    pub(crate) rows_per_file: Option<usize>,
}

impl Format {
    pub(super) fn of(target: &Target<'_>, identity: &Identity, input: &Input) -> Result<Self> {
        let path = target.path;
        let ending = path.extension().and_then(|ending| ending.to_str());
        let is_folder = path.is_dir() || path.to_string_lossy().ends_with(['/', '\\']);
        let format = match ending {
            _ if is_folder => Some(TableFormat::Parquet),
            Some("parquet") => Some(TableFormat::Parquet),
            Some("arrow" | "feather") => Some(TableFormat::Arrow),
            _ => None,
        };
        if let Some(format) = format {
            if format == TableFormat::Parquet {
                can_write(path)?;
            }
            let parts = is_folder.then(|| Parts::new(path, target.share, target.rows_per_file));
            return Ok(Self::Table(Box::new(Table {
                format,
                rows: Rows::new(identity, input.kept())?,
                parts,
            })));
        }
        if let Some(column) = input.first_kept() {
            let expected = "a table (.parquet, .arrow, or a folder) as the output";
            return Err(Error::option("keep", expected, format!("`{column}`")));
        }
        match ending {
            Some("safetensors") if identity.model == StoredKind::Dense => Ok(Self::Tensors),
            _ if identity.store.is_some() => {
                corpus::check(path, identity)?;
                Ok(Self::Corpus)
            }
            Some("jsonl") => Ok(Self::Lines),
            Some("safetensors") => Ok(Self::Tensors),
            _ => Err(Error::option(
                "output",
                "a name that ends in .parquet, .arrow, .safetensors or .jsonl, a folder, or \
                 --store",
                path.display(),
            )),
        }
    }

    pub(super) fn parts(&self) -> Option<&Parts> {
        match self {
            Self::Table(table) => table.parts.as_ref(),
            _ => None,
        }
    }
}
