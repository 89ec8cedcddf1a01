//! `multivec encode`.

mod arguments;
mod report;
mod run;

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use multivec::corpus::VectorPrecision;
use multivec::{AnyEncoder, Control, EmbeddingHead, Error, TextEncoder, TextKind};

use crate::arguments::LoadedModel;
use crate::console::Format;
use crate::failure::Failure;
use crate::input::{Input, Selection};
use crate::output::{Identity, Output, Stored, Summary, Target};
pub(crate) use arguments::Arguments;
use arguments::KindName;
use report::Report;
use run::Run;

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

    Report {
        arguments,
        encoder,
        totals,
        skipped,
        resumed,
        load,
        spent,
    }
    .print(format)
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
