//! The arguments of `multivec encode`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use multivec::Error;

use crate::arguments::{ModelArguments, StoreName};
use crate::input::{InputArguments, OnError, Share};
use crate::output::{StoredKind, ranges_of};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(super) model: ModelArguments,
    /// Whether the texts are queries or documents.
    #[arg(long)]
    pub(super) kind: KindName,
    /// Texts: JSON Lines (objects with `text` and optionally `id`), plain text
    /// with one per line, or a table (`.parquet`, `.arrow`, `.feather`, `.csv`);
    /// a folder of such files, or a pattern such as `'shards/*.parquet'`; `-` for
    /// stdin.
    #[arg(long, value_name = "FILE")]
    pub(super) input: PathBuf,
    #[command(flatten)]
    pub(super) texts: InputArguments,
    /// What a line that cannot be used does, or a text that cannot be encoded.
    #[arg(long, default_value = "fail")]
    pub(super) on_error: OnError,
    /// Columns of the input table that the output table has too.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    pub(super) keep: Vec<String>,
    /// Encode one of N shares, as the I-th of N processes: every N-th file or,
    /// where there are fewer, every N-th block of 1024 texts.
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Share>,
    /// Embeddings: `.safetensors` (a tensor a text, named by its id, or by its
    /// place from 0: `[tokens, dim]`, `[dim]` of dense models, `ID.indices` and
    /// `ID.values` of sparse ones, these and `ID.dense` and `ID.tokens` of
    /// models that give all three), `.jsonl`, or a table (`.parquet`, `.arrow`);
    /// a folder, which is there or ends with `/`, gets Parquet files. An
    /// interrupted run keeps its progress beside this file, and the same command
    /// resumes it.
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
    /// Rows after which a file of an output folder ends [default: 512 MiB].
    #[arg(long, value_name = "N", value_parser = parse_rows)]
    pub(super) rows_per_file: Option<usize>,
    /// The precision of vectors in a table, and of dense ones in `.safetensors`:
    /// there integers are levels between the smallest and the largest value of
    /// each column, which the metadata has as `int8_ranges`, and bits are signs.
    /// Other outputs become a corpus for `search --vectors` in this precision,
    /// and may have any name.
    #[arg(long, value_name = "PRECISION")]
    pub(super) store: Option<StoreName>,
    /// Safetensors of `--store int8` whose ranges dense vectors in integers get,
    /// such as those of the documents for queries [default: the ranges of the
    /// texts].
    #[arg(long, value_name = "FILE", requires = "store")]
    ranges: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum KindName {
    Query,
    Document,
}

fn parse_rows(text: &str) -> Result<usize, String> {
    let rows = text.parse().ok().filter(|&rows| rows > 0);
    rows.ok_or_else(|| "expected a number from 1 on".to_owned())
}

impl Arguments {
    /// The ranges of integers that are given, one for each column.
    pub(super) fn ranges(
        &self,
        kind: StoredKind,
        dim: usize,
    ) -> Result<Option<[Vec<f32>; 2]>, Error> {
        let Some(file) = &self.ranges else {
            return Ok(None);
        };
        let is_tensors = self
            .output
            .extension()
            .is_some_and(|ending| ending == "safetensors");
        if kind != StoredKind::Dense || !is_tensors || !matches!(self.store, Some(StoreName::Int8))
        {
            let expected = "none but for dense vectors in .safetensors with --store int8";
            return Err(Error::option("ranges", expected, file.display()));
        }
        let ranges = ranges_of(file)?;
        match ranges.low.len() {
            found if found != dim => {
                let expected = format!("those of {dim} columns");
                Err(Error::option("ranges", expected, found))
            }
            _ => Ok(Some([ranges.low, ranges.high])),
        }
    }
}
