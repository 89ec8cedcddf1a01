//! `multivec encode`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use multivec::{Embedding, Encoder, Result, TextKind};

use super::input::Input;
use super::model::ModelArguments;
use super::output::Output;
use super::{Format, print};

/// Texts that are held at a time: enough to find some of equal length.
const CHUNK: usize = 1024;

#[derive(Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Which side of retrieval the texts are on.
    #[arg(long)]
    kind: KindName,
    /// `.jsonl` (objects with `text` and perhaps `id`) or plain text, one text
    /// a line; `-` for stdin.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// `.safetensors` (tensors `0`, `1`, … of `[tokens, dim]`) or `.jsonl`.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindName {
    Query,
    Document,
}

#[derive(Default)]
struct Statistics {
    texts: usize,
    tokens: usize,
    truncated: usize,
    encode: Duration,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let (kind, kind_name) = match arguments.kind {
        KindName::Query => (TextKind::Query, "query"),
        KindName::Document => (TextKind::Document, "document"),
    };
    let (mut input, size) = Input::open(&arguments.input)?;
    let loaded = arguments.model.load()?;
    let encoder = &loaded.encoder;
    let mut output = Output::create(&arguments.output, kind_name, encoder.fingerprint())?;

    let bar = progress(size);
    let mut statistics = Statistics::default();
    loop {
        let texts = input.read(CHUNK)?;
        if texts.is_empty() {
            break;
        }
        let start = Instant::now();
        let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
        let embeddings = encode(encoder, &plain, kind, &bar)?;
        statistics.encode += start.elapsed();
        for (text, embedding) in texts.iter().zip(&embeddings) {
            output.write(text, embedding)?;
            statistics.add(embedding);
        }
        if size.is_some() {
            bar.set_position(input.bytes);
        }
    }
    bar.finish_and_clear();
    output.finish()?;

    let info = encoder.info();
    let fingerprint = encoder.fingerprint();
    match format {
        Format::Json => print(
            &serde_json::json!({
                "engine": info.engine,
                "provider": info.provider,
                "precision": info.precision.to_string(),
                "texts": statistics.texts,
                "tokens": statistics.tokens,
                "truncated": statistics.truncated,
                "load_ms": milliseconds(loaded.load),
                "encode_ms": milliseconds(statistics.encode),
                "fingerprint": {
                    "space": fingerprint.space(),
                    "computed": fingerprint.computed(),
                },
            })
            .to_string(),
        ),
        Format::Text => print(&format!(
            "{} texts ({} rows, {} truncated) in {:.1} s, after {:.1} s of loading, \
             with {} on {} ({}), to {}",
            statistics.texts,
            statistics.tokens,
            statistics.truncated,
            statistics.encode.as_secs_f64(),
            loaded.load.as_secs_f64(),
            info.engine,
            info.provider,
            info.precision,
            arguments.output.display(),
        )),
    }
}

/// Encodes a chunk, with a step of the bar after each batch where batches run
/// one after the other.
fn encode(
    encoder: &Encoder,
    texts: &[&str],
    kind: TextKind,
    bar: &ProgressBar,
) -> Result<Vec<Embedding>> {
    let mut job = encoder.start(texts, kind)?;
    if encoder.concurrency() == 1 {
        while job.run_next()?.is_some() {
            bar.tick();
        }
    }
    job.finish()
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

impl Statistics {
    fn add(&mut self, embedding: &Embedding) {
        self.texts += 1;
        self.tokens += embedding.tokens();
        let truncated = embedding
            .truncation()
            .is_some_and(|truncation| truncation.is_truncated());
        self.truncated += usize::from(truncated);
    }
}
