//! `multivec encode`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use multivec::corpus::VectorPrecision;
use multivec::{AnyEncoder, Control, EmbeddingHead, Error, TextEncoder, TextKind};
use serde_json::{Value, json};

use crate::arguments::{LoadedModel, ModelArguments, StoreName};
use crate::console::{Format, print};
use crate::failure::Failure;
use crate::input::{Chunk, Input, InputArguments, InputText, OnError, Selection, Share, Skipped};
use crate::output::{Identity, Output, Stored, StoredKind, Summary, Target, ranges_of};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Whether the texts are queries or documents.
    #[arg(long)]
    kind: KindName,
    /// Texts: JSON Lines (objects with `text` and optionally `id`), plain text
    /// with one per line, or a table (`.parquet`, `.arrow`, `.feather`, `.csv`);
    /// a folder of such files, or a pattern such as `'shards/*.parquet'`; `-` for
    /// stdin.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    #[command(flatten)]
    texts: InputArguments,
    /// What a line that cannot be used does, or a text that cannot be encoded.
    #[arg(long, default_value = "fail")]
    on_error: OnError,
    /// Columns of the input table that the output table has too.
    #[arg(long, value_name = "COLUMN,…", value_delimiter = ',')]
    keep: Vec<String>,
    /// Encode one of N shares, as the I-th of N processes: every N-th file or,
    /// where there are fewer, every N-th block of 1024 texts.
    #[arg(long, value_name = "I/N")]
    shard: Option<Share>,
    /// Embeddings: `.safetensors` (a tensor a text, named by its id, or by its
    /// place from 0: `[tokens, dim]`, `[dim]` of dense models, `ID.indices` and
    /// `ID.values` of sparse ones, these and `ID.dense` and `ID.tokens` of
    /// models that give all three), `.jsonl`, or a table (`.parquet`, `.arrow`);
    /// a folder, which is there or ends with `/`, gets Parquet files. An
    /// interrupted run keeps its progress beside this file, and the same command
    /// resumes it.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Rows after which a file of an output folder ends [default: 512 MiB].
    #[arg(long, value_name = "N", value_parser = parse_rows)]
    rows_per_file: Option<usize>,
    /// The precision of vectors in a table, and of dense ones in `.safetensors`:
    /// there integers are levels between the smallest and the largest value of
    /// each column, which the metadata has as `int8_ranges`, and bits are signs.
    /// Other outputs become a corpus for `search --vectors` in this precision,
    /// and may have any name.
    #[arg(long, value_name = "PRECISION")]
    store: Option<StoreName>,
    /// Safetensors of `--store int8` whose ranges dense vectors in integers get,
    /// such as those of the documents for queries [default: the ranges of the
    /// texts].
    #[arg(long, value_name = "FILE", requires = "store")]
    ranges: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindName {
    Query,
    Document,
}

fn parse_rows(text: &str) -> Result<usize, String> {
    let rows = text.parse().ok().filter(|&rows| rows > 0);
    rows.ok_or_else(|| "expected a number from 1 on".to_owned())
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let (kind, kind_name) = match arguments.kind {
        KindName::Query => (TextKind::Query, "query"),
        KindName::Document => (TextKind::Document, "document"),
    };
    let selection = Selection {
        on_error: arguments.on_error,
        keep: arguments.keep.clone(),
        share: arguments.shard,
    };
    let input = Input::select(&arguments.input, &arguments.texts, selection)?;
    let LoadedModel { encoder, load, .. } = arguments.model.load_any()?;
    let mut text = Texts {
        kind,
        kind_name,
        input,
        load,
        token_dim: 0,
    };
    match encoder {
        AnyEncoder::MultiVector(encoder) => write(&encoder, arguments, text, format),
        AnyEncoder::Dense(encoder) => write(&encoder, arguments, text, format),
        AnyEncoder::Sparse(encoder) => write(&encoder, arguments, text, format),
        AnyEncoder::Hybrid(encoder) => {
            text.token_dim = encoder.token_dim();
            write(&encoder, arguments, text, format)
        }
        other => Err(Error::option(
            "model",
            "a model that encodes single texts; `multivec rerank` scores pairs",
            format!("a {} model", other.kind()),
        )
        .into()),
    }
}

/// What to encode, and how long it took to load the model.
struct Texts {
    kind: TextKind,
    kind_name: &'static str,
    input: Input,
    load: Duration,
    /// Columns of vectors of tokens beside those of texts.
    token_dim: usize,
}

impl Arguments {
    /// The ranges of integers that are given, one for each column.
    fn ranges(&self, kind: StoredKind, dim: usize) -> Result<Option<[Vec<f32>; 2]>, Error> {
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

/// Encodes all texts into the output.
fn write<H: EmbeddingHead<Output: Stored>>(
    encoder: &TextEncoder<H>,
    arguments: &Arguments,
    texts: Texts,
    format: Format,
) -> Result<(), Failure> {
    let Texts {
        kind,
        kind_name,
        mut input,
        load,
        token_dim,
    } = texts;
    let bar = progress(input.size());
    let ticking = bar.clone();
    let control = Control::new().with_progress(move |_| ticking.tick());
    let encoder = &encoder.with_control(control);
    let options = arguments.model.options()?;
    let identity = Identity {
        model: H::Output::KIND,
        kind: kind_name.to_owned(),
        space: encoder.fingerprint().space().to_owned(),
        computed: encoder.fingerprint().computed().to_owned(),
        origin: encoder.origin().map(str::to_owned),
        dim: encoder.dim(),
        token_dim,
        options: format!("{:?}", options.encode),
        pooling: options.encode.pooling.map(|pooling| pooling.factor),
        reading: input.reading(),
        format: input.format(),
        store: arguments
            .store
            .map(|name| VectorPrecision::from(name).name().to_owned()),
        ranges: arguments.ranges(H::Output::KIND, encoder.dim())?,
    };
    let target = Target {
        path: &arguments.output,
        share: arguments.shard,
        rows_per_file: arguments.rows_per_file,
    };
    let output = Output::open(&target, identity, &mut input)?;
    let resumed = output.totals().texts;
    if resumed > 0 {
        eprintln!("note: resuming after {resumed} texts of an earlier run");
    }
    let mut run = Run {
        encoder,
        kind,
        input,
        output,
        spent: Duration::ZERO,
    };
    let done = run.encode_all(&bar);
    bar.finish_and_clear();
    let Run {
        input,
        output,
        spent,
        ..
    } = run;
    if let Err(failure) = done {
        output.give_up(&input);
        return Err(failure);
    }
    let Summary { totals, skipped } = output.finish()?;

    let info = encoder.info();
    let fingerprint = encoder.fingerprint();
    match format {
        Format::Json => print(
            &json!({
                "origin": encoder.origin(),
                "model": encoder.kind().to_string(),
                "engine": info.engine,
                "provider": info.provider,
                "precision": info.precision.to_string(),
                "texts": totals.texts,
                "resumed": resumed,
                "tokens": totals.tokens,
                "truncated": totals.truncated,
                "nulls": totals.nulls,
                "skipped": totals.skipped,
                "skipped_texts": skipped,
                "load_ms": milliseconds(load),
                "encode_ms": milliseconds(spent),
                "fingerprint": {
                    "space": fingerprint.space(),
                    "computed": fingerprint.computed(),
                },
            })
            .to_string(),
        )?,
        Format::Text => {
            print(&format!(
                "{} texts ({} rows, {} truncated) in {:.1} s, after {:.1} s of loading, \
                 with {} on {} ({}), to {}",
                totals.texts,
                totals.tokens,
                totals.truncated,
                spent.as_secs_f64(),
                load.as_secs_f64(),
                info.engine,
                info.provider,
                info.precision,
                arguments.output.display(),
            ))?;
            if totals.nulls > 0 {
                print(&format!("{} texts are null", totals.nulls))?;
            }
            list(totals.skipped, &skipped)?;
        }
    }
    Ok(())
}

/// Prints the texts that were left out.
fn list(count: usize, skipped: &[Skipped]) -> Result<(), Failure> {
    if count == 0 {
        return Ok(());
    }
    print(&format!("{count} skipped:"))?;
    for text in skipped {
        let id = match &text.id {
            Value::Null => String::new(),
            id => format!(" (id {id})"),
        };
        let file = text.file.iter();
        let file: String = file.map(|file| format!("{file}, ")).collect();
        print(&format!("  {file}line {}{id}: {}", text.line, text.reason))?;
    }
    if count > skipped.len() {
        print(&format!("  and {} more", count - skipped.len()))?;
    }
    Ok(())
}

/// A run in progress.
struct Run<'a, H: EmbeddingHead> {
    encoder: &'a TextEncoder<H>,
    kind: TextKind,
    input: Input,
    output: Output,
    /// Time spent encoding.
    spent: Duration,
}

impl<H: EmbeddingHead<Output: Stored>> Run<'_, H> {
    fn encode_all(&mut self, bar: &ProgressBar) -> Result<(), Failure> {
        loop {
            if self.input.size().is_some() {
                bar.set_position(self.input.bytes());
            }
            let chunk = self.input.read_chunk()?;
            if chunk.is_empty() {
                return Ok(());
            }
            self.encode(chunk)?;
            self.output.commit(&self.input)?;
        }
    }

    fn encode(&mut self, chunk: Chunk) -> Result<(), Failure> {
        let Chunk {
            texts,
            nulls,
            mut skipped,
            kept,
        } = chunk;
        self.output.start_chunk(kept);
        let start = Instant::now();
        let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
        let embeddings = self.encoder.encode_each(&plain, self.kind)?;
        self.spent += start.elapsed();
        let mut nulls = nulls.iter().peekable();
        for (at, (text, embedding)) in texts.iter().zip(embeddings).enumerate() {
            while let Some(null) = nulls.next_if(|null| null.index < text.index) {
                self.output.write_null(null)?;
            }
            match embedding {
                Ok(embedding) => {
                    let written = self.output.write(text, &embedding);
                    written.map_err(|error| self.at(text, error))?;
                }
                Err(error) => {
                    // Positions count from the start of the input.
                    let error = error.after(text.index - at);
                    if self.input.on_error() == OnError::Fail {
                        return Err(self.at(text, error));
                    }
                    skipped.push(self.input.skipped(text, &error));
                }
            }
        }
        for null in nulls {
            self.output.write_null(null)?;
        }
        self.output.skip(skipped);
        Ok(())
    }

    fn at(&self, text: &InputText, error: Error) -> Failure {
        Failure::at(self.input.place(text), error)
    }
}

fn progress(size: Option<u64>) -> ProgressBar {
    let (bar, template) = match size {
        Some(bytes) => (
            ProgressBar::new(bytes),
            "{bar:40} {bytes}/{total_bytes} {elapsed}, {eta} left",
        ),
        None => (ProgressBar::new_spinner(), "{spinner} {elapsed}"),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
