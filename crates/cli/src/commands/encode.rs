//! `multivec encode`.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use multivec::{Control, Result, TextKind};

use crate::arguments::ModelArguments;
use crate::console::{Format, print};
use crate::input::Input;
use crate::output::{Identity, Output};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Whether the texts are queries or documents.
    #[arg(long)]
    kind: KindName,
    /// Texts: `.jsonl` (objects with `text` and optionally `id`) or plain text,
    /// one per line; `-` for plain text from stdin.
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Embeddings: `.safetensors` (tensors `0`, `1`, ... of `[tokens, dim]`) or
    /// `.jsonl`. An interrupted run keeps its progress beside this file, and
    /// the same command resumes it.
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum KindName {
    Query,
    Document,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<()> {
    let (kind, kind_name) = match arguments.kind {
        KindName::Query => (TextKind::Query, "query"),
        KindName::Document => (TextKind::Document, "document"),
    };
    let (mut input, size) = Input::open(&arguments.input)?;
    let loaded = arguments.model.load()?;
    let bar = progress(size);
    let ticking = bar.clone();
    let control = Control::new().with_progress(move |_| ticking.tick());
    let encoder = &loaded.encoder.with_control(control);
    let identity = Identity {
        kind: kind_name.to_owned(),
        space: encoder.fingerprint().space().to_owned(),
        computed: encoder.fingerprint().computed().to_owned(),
        dim: encoder.dim(),
        options: format!("{:?}", arguments.model.options()?.encode),
    };
    let mut output = Output::open(&arguments.output, identity, &mut input)?;
    let resumed = output.totals().texts;
    if resumed > 0 {
        eprintln!("note: resuming after {resumed} texts of an earlier run");
    }
    let mut spent = Duration::ZERO;
    let mut encode_all = || {
        loop {
            if size.is_some() {
                bar.set_position(input.bytes);
            }
            let texts = input.read_chunk()?;
            if texts.is_empty() {
                return Ok(());
            }
            let start = Instant::now();
            let plain: Vec<&str> = texts.iter().map(|line| line.text.as_str()).collect();
            let embeddings = encoder.encode(&plain, kind)?;
            spent += start.elapsed();
            for (text, embedding) in texts.iter().zip(&embeddings) {
                output.write(text, embedding)?;
            }
            output.commit(&input)?;
        }
    };
    let done = encode_all();
    bar.finish_and_clear();
    if let Err(error) = done {
        output.give_up(&input);
        return Err(error);
    }
    let totals = output.finish()?;

    let info = encoder.info();
    let fingerprint = encoder.fingerprint();
    match format {
        Format::Json => print(
            &serde_json::json!({
                "engine": info.engine,
                "provider": info.provider,
                "precision": info.precision.to_string(),
                "texts": totals.texts,
                "resumed": resumed,
                "tokens": totals.tokens,
                "truncated": totals.truncated,
                "load_ms": milliseconds(loaded.load),
                "encode_ms": milliseconds(spent),
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
            totals.texts,
            totals.tokens,
            totals.truncated,
            spent.as_secs_f64(),
            loaded.load.as_secs_f64(),
            info.engine,
            info.provider,
            info.precision,
            arguments.output.display(),
        )),
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
