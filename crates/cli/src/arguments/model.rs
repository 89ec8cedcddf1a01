//! The options that say which model is loaded and how.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use multivec::{
    Arena, BatchLimit, BatchShapes, Encoder, EncoderBuilder, Engine, GraphForm, LoadOptions,
    Optimization, Pooling, Precision, Result, TruncationPolicy,
};

use super::provider::ProviderArguments;
use crate::demo;

#[derive(Args)]
pub(crate) struct ModelArguments {
    /// Model directory; the embedded demo model without it.
    #[arg(long, value_name = "DIR")]
    pub(crate) model: Option<PathBuf>,
    /// What runs the model; tract in builds that have it.
    #[arg(long, default_value = "onnxruntime")]
    engine: EngineName,
    /// Run the graph as it was published.
    #[arg(long)]
    no_optimize: bool,
    /// Weights to load; INT8 where the model has them.
    #[arg(long)]
    precision: Option<PrecisionName>,
    /// Most tokens of a query, special tokens included.
    #[arg(long, value_name = "N")]
    query_length: Option<usize>,
    /// Most tokens of a document, special tokens included.
    #[arg(long, value_name = "N")]
    document_length: Option<usize>,
    /// What to do with texts that are longer.
    #[arg(long, default_value = "truncate")]
    truncation: TruncationName,
    /// Pool each document to one row in N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pool_factor: Option<u16>,
    /// Rows at the start of a document that are not pooled.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "pool_factor")]
    protected_tokens: usize,
    /// Most texts of a batch.
    #[arg(long, value_name = "N", conflicts_with = "token_budget")]
    batch_size: Option<usize>,
    /// Most tokens of a batch, padding included.
    #[arg(long, value_name = "N")]
    token_budget: Option<usize>,
    /// Which shapes batches have; `buckets` on devices without it.
    #[arg(long, value_name = "SHAPES")]
    batch_shapes: Option<ShapesName>,
    /// Threads of each session.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Sessions that run batches side by side.
    #[arg(long, value_name = "N")]
    sessions: Option<usize>,
    #[command(flatten)]
    provider: ProviderArguments,
    /// What becomes of memory that a batch needed.
    #[arg(long, default_value = "keep")]
    arena: ArenaName,
    /// The ONNX Runtime library; looked for without it.
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapesName {
    /// As many rows as texts, as long as the longest.
    Exact,
    /// Few lengths, and powers of two of rows.
    Buckets,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum EngineName {
    Onnxruntime,
    Tract,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Onnxruntime => Self::OnnxRuntime,
            EngineName::Tract => Self::Tract,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PrecisionName {
    Fp32,
    Int8,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Fp32 => Self::Fp32,
            PrecisionName::Int8 => Self::Int8,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ArenaName {
    /// Kept for the next batch.
    Keep,
    /// Given back after each batch.
    Shrink,
    /// Given back piece by piece.
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum TruncationName {
    /// Cut off, and count how many.
    Truncate,
    /// Refuse.
    Error,
}

/// An encoder and how long it took to load.
pub(crate) struct LoadedModel {
    pub(crate) encoder: Encoder,
    pub(crate) name: String,
    pub(crate) load: Duration,
}

impl ModelArguments {
    pub(crate) fn load(&self) -> Result<LoadedModel> {
        self.load_with(self.options()?)
    }

    /// Loads the model with other options.
    pub(crate) fn load_with(&self, options: LoadOptions) -> Result<LoadedModel> {
        let start = Instant::now();
        let (builder, name) = match &self.model {
            Some(root) => (EncoderBuilder::from_dir(root), root.display().to_string()),
            None => (demo::builder()?, demo::NAME.to_owned()),
        };
        let encoder = builder.with_options(options).build()?;
        if let form @ GraphForm::Refused { .. } = encoder.info().graph {
            eprintln!(
                "warning: {}: the graph runs {form}",
                encoder.info().model_file
            );
        }
        Ok(LoadedModel {
            encoder,
            name,
            load: start.elapsed(),
        })
    }

    pub(crate) fn options(&self) -> Result<LoadOptions> {
        let mut options = LoadOptions::default();
        options.precision = self.precision.map(Precision::from);
        options.engine = self.engine.into();
        options.optimization = match self.no_optimize {
            true => Optimization::Off,
            false => Optimization::Checked,
        };
        options.provider = self.provider.provider()?;
        options.arena = match self.arena {
            ArenaName::Keep => Arena::Keep,
            ArenaName::Shrink => Arena::Shrink,
            ArenaName::Off => Arena::Off,
        };
        options.threads = self.threads;
        options.sessions = self.sessions;
        options.library.clone_from(&self.library);
        let encode = &mut options.encode;
        encode.query_length = self.query_length;
        encode.document_length = self.document_length;
        encode.truncation = match self.truncation {
            TruncationName::Truncate => TruncationPolicy::Truncate,
            TruncationName::Error => TruncationPolicy::Error,
        };
        encode.pooling = self.pool_factor.map(|factor| Pooling {
            factor: factor.into(),
            protected_tokens: self.protected_tokens,
        });
        if let Some(texts) = self.batch_size {
            encode.batch_limit = BatchLimit::Texts(texts);
        }
        if let Some(tokens) = self.token_budget {
            encode.batch_limit = BatchLimit::Tokens(tokens);
        }
        encode.batch_shapes = match self.batch_shapes {
            None => BatchShapes::Auto,
            Some(ShapesName::Exact) => BatchShapes::Exact,
            Some(ShapesName::Buckets) => BatchShapes::Buckets,
        };
        Ok(options)
    }
}
