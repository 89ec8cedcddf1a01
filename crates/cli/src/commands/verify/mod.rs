//! `multivec verify`.

mod picture;
mod report;
mod storage;

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use multivec::fidelity::{
    Comparison, Cosines, EncodedSample, Sample, batch_invariance_of_any, ranking_agreement,
    storage_agreement, support_overlap,
};
use multivec::{
    AnyEncoder, Engine, Error, LoadOptions, ModelKind, Optimization, Precision, Result,
};

use crate::arguments::{EngineName, LoadedModel, ModelArguments, PrecisionName, note_fallback};
use crate::console::{Format, Verdict, io_error, print};
use crate::input::{Input, InputArguments};
use crate::models;
use multivec::atomic_file::beside;
use report::{Report, Thresholds};

/// Documents that are encoded alone and in batches.
const BATCHED: usize = 62;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    model: ModelArguments,
    /// Directory of the reference model, or its id [default: the same model].
    #[arg(long, value_name = "DIR|ID")]
    against: Option<PathBuf>,
    /// Engine of the reference model.
    #[arg(long, default_value = "auto")]
    against_engine: EngineName,
    /// Weights of the reference model.
    #[arg(long, default_value = "fp32")]
    against_precision: PrecisionName,
    /// Documents to compare: JSON Lines (objects with `text`) or plain text, one
    /// per line [default: a built-in sample].
    #[arg(long, value_name = "FILE")]
    documents: Option<PathBuf>,
    /// Queries in the same formats [default: made from the documents].
    #[arg(long, value_name = "FILE", requires = "documents")]
    queries: Option<PathBuf>,
    #[command(flatten)]
    texts: InputArguments,
    /// Write a histogram of the cosines as SVG.
    #[arg(long, value_name = "FILE.svg")]
    picture: Option<PathBuf>,
    #[command(flatten)]
    thresholds: Thresholds,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<Verdict> {
    arguments.thresholds.check()?;
    if let Some(path) = &arguments.picture
        && path.extension().is_none_or(|ending| ending != "svg")
    {
        let expected = "a name that ends in .svg";
        return Err(Error::option("picture", expected, path.display()));
    }
    let options = arguments.model.options()?;
    if options.encode.pooling.is_some() {
        let expected = "no pooling, since vectors are compared token by token";
        return Err(Error::option("pooling", expected, "some"));
    }
    let sample = arguments.sample()?;
    let bar = ProgressBar::new(3);
    // One after the other, so that memory never holds both models.
    let against = arguments.load_against(&options)?;
    let expected = EncodedSample::of_any(&against, &sample)?;
    let against = report::Side::new(against.info(), arguments.against_name());
    bar.inc(1);
    let own = arguments.own(&options);
    let LoadedModel { encoder, name, .. } = arguments.model.load_any_with(own)?;
    let found = EncodedSample::of_any(&encoder, &sample)?;
    bar.inc(1);
    let batched = &sample.documents[..sample.documents.len().min(BATCHED)];
    let batch = batch_invariance_of_any(&encoder, &options.encode, batched)?;
    bar.finish_and_clear();

    let comparison = Comparison::new(&expected, &found)?;
    let report = Report {
        model: report::Side::new(encoder.info(), encoder.origin().map_or(name, str::to_owned)),
        kind: encoder.kind(),
        against,
        queries: sample.queries.len(),
        documents: sample.documents.len(),
        cosines: Cosines::of(comparison)?,
        ranking: ranking_agreement(comparison)?,
        support: (encoder.kind() == ModelKind::Sparse).then(|| support_overlap(comparison)),
        batch,
        // Corpora are of multi-vectors.
        storage: if encoder.kind() == ModelKind::MultiVector {
            storage_agreement(&found)?
        } else {
            Vec::new()
        },
    };
    if let Some(path) = &arguments.picture {
        write(path, &picture::histogram(&report))?;
    }
    let missed = arguments.thresholds.missed(&report);
    match format {
        Format::Json => print(&report.to_json(&missed).to_string())?,
        Format::Text => report.print()?,
    }
    for miss in &missed {
        eprintln!("missed: {miss}");
    }
    Ok(if missed.is_empty() {
        Verdict::Met
    } else {
        Verdict::Missed
    })
}

impl Arguments {
    fn sample(&self) -> Result<Sample> {
        let Some(documents) = &self.documents else {
            return Ok(Sample::built_in());
        };
        let documents = self.read(documents)?;
        Ok(match &self.queries {
            Some(queries) => Sample::new(self.read(queries)?, documents),
            None => Sample::of_documents(documents),
        })
    }

    fn read(&self, path: &Path) -> Result<Vec<String>> {
        let texts = Input::open(path, &self.texts)?.read_all()?;
        Ok(texts.into_iter().map(|line| line.text).collect())
    }

    /// The options of the model under test. `--library` applies to whichever
    /// side runs on ONNX Runtime.
    fn own(&self, options: &LoadOptions) -> LoadOptions {
        let mut own = options.clone();
        if own.engine == Engine::Tract {
            own.library = None;
        }
        own
    }

    /// Loads the reference model: the same options for texts, the graph as
    /// exported.
    fn load_against(&self, options: &LoadOptions) -> Result<AnyEncoder> {
        let mut against = LoadOptions::default();
        against.encode.clone_from(&options.encode);
        against.engine = self.against_engine.into();
        against.precision = Some(Precision::from(self.against_precision));
        against.optimization = Optimization::Off;
        if against.engine != Engine::Tract {
            against.library.clone_from(&options.library);
        }
        let root = self.against.as_ref().or(self.model.model.as_ref());
        let root = root.ok_or_else(|| {
            let expected = "the directory of an FP32 model, since the demo model has none";
            Error::option("against", expected, "none")
        })?;
        let engine = against.engine;
        let encoder = models::builder(root).with_options(against).build_any()?;
        note_fallback(engine, encoder.info());
        Ok(encoder)
    }

    fn against_name(&self) -> String {
        let root = self.against.as_ref().or(self.model.model.as_ref());
        root.map(|root| root.display().to_string())
            .unwrap_or_default()
    }
}

/// Writes a file atomically.
fn write(path: &Path, content: &str) -> Result<()> {
    let fail = |error| io_error(&path.display().to_string(), "writing", error);
    let mut file = beside(path).map_err(fail)?;
    file.write_all(content.as_bytes()).map_err(fail)?;
    file.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}
