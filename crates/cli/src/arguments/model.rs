//! Flags that choose a model and how it is loaded.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::{Duration, Instant};

use clap::builder::RangedU64ValueParser;
use clap::{Args, ValueEnum};
use multivec::{
    AnyEncoder, Arena, BackendInfo, BatchLimit, BatchShapes, CrossEncoder, Encoder, EncoderBuilder,
    Engine, GraphForm, LoadOptions, ModelDirectory, Optimization, Padding, Pooling, Precision,
    Quantization, Result, TruncationPolicy,
};

use super::provider::ProviderArguments;
use crate::{demo, models};

/// Parses counts, which cannot be 0.
fn at_least_one() -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(1..)
}

#[derive(Args)]
pub(crate) struct ModelArguments {
    #[arg(long, value_name = "DIR|ID", help = demo::MODEL_HELP)]
    pub(crate) model: Option<PathBuf>,
    /// Engine that runs the model.
    #[arg(long, default_value = "auto")]
    engine: EngineName,
    /// Run the graph as exported, without fusing it.
    #[arg(long)]
    no_optimize: bool,
    /// Run the fused graph without timing the one as exported beside it.
    #[arg(long)]
    no_measure: bool,
    /// Precision to run in [default: on CPUs INT8 if the model has it or its
    /// weights are in safetensors].
    #[arg(long)]
    precision: Option<PrecisionName>,
    /// File of weights to load, by its path in the model directory.
    #[arg(long, value_name = "FILE", requires = "model")]
    file: Option<String>,
    /// Maximum tokens of a query, including special tokens [default: the
    /// model's].
    #[arg(long, value_name = "N")]
    query_length: Option<usize>,
    /// Maximum tokens of a document, including special tokens [default: the
    /// model's].
    #[arg(long, value_name = "N")]
    document_length: Option<usize>,
    /// What to do with longer texts.
    #[arg(long, default_value = "truncate")]
    truncation: TruncationName,
    /// Pool the token vectors of each document, to about one in N.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pool_factor: Option<u16>,
    /// Token vectors at the start of a document that are not pooled.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "pool_factor")]
    protected_tokens: usize,
    /// Columns to keep of the vectors of dense models that were trained so.
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    dimensions: Option<usize>,
    /// Name of the prompt for all texts, one of those that the model states
    /// [default: those of queries and documents].
    #[arg(long, value_name = "NAME")]
    prompt: Option<String>,
    /// Maximum texts per batch.
    #[arg(long, value_name = "N", conflicts_with = "token_budget", value_parser = at_least_one())]
    batch_size: Option<usize>,
    /// Maximum tokens per batch, including padding.
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    token_budget: Option<usize>,
    /// Shapes of batches [default: exact on CPUs, buckets on other devices].
    #[arg(long, value_name = "SHAPES")]
    batch_shapes: Option<ShapesName>,
    /// Threads per session.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Sessions that run batches in parallel.
    #[arg(long, value_name = "N")]
    sessions: Option<usize>,
    #[command(flatten)]
    provider: ProviderArguments,
    /// What to do with the memory of a batch afterwards.
    #[arg(long, default_value = "keep")]
    arena: ArenaName,
    /// ONNX Runtime library [default: see `multivec runtime`].
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ShapesName {
    /// A row per text, padded to the longest.
    Exact,
    /// A few lengths, and row counts that are powers of two.
    Buckets,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum EngineName {
    /// ONNX Runtime if its library is found, otherwise tract.
    Auto,
    /// ONNX Runtime, loaded from a shared library.
    Onnxruntime,
    /// tract, in builds that include it.
    Tract,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Auto => Self::Auto,
            EngineName::Onnxruntime => Self::OnnxRuntime,
            EngineName::Tract => Self::Tract,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum PrecisionName {
    /// All that is not quantized.
    Fp32,
    /// Weights that are stored so; CPUs compute in 32 bits.
    Fp16,
    /// Weights that are stored so; CPUs compute in 32 bits.
    Bf16,
    /// An INT8 graph, or weights in safetensors, quantized when they are loaded.
    Int8,
    /// A graph with weights of 4 bits.
    Int4,
}

impl From<PrecisionName> for Precision {
    fn from(name: PrecisionName) -> Self {
        match name {
            PrecisionName::Fp32 => Self::Fp32,
            PrecisionName::Fp16 => Self::Fp16,
            PrecisionName::Bf16 => Self::Bf16,
            PrecisionName::Int8 => Self::Int8,
            PrecisionName::Int4 => Self::Int4,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum ArenaName {
    /// Keep it for the next batch.
    Keep,
    /// Free it after each batch.
    Shrink,
    /// Allocate and free each tensor by itself.
    Off,
}

#[derive(Clone, Copy, ValueEnum)]
enum TruncationName {
    /// Truncate them and count how many.
    Truncate,
    /// Fail.
    Error,
}

/// An encoder, the name of its model and the time it took to load.
pub(crate) struct LoadedModel<E> {
    pub(crate) encoder: E,
    pub(crate) name: String,
    pub(crate) load: Duration,
}

/// Says once that tract runs in place of ONNX Runtime.
pub(crate) fn note_fallback(requested: Engine, info: &BackendInfo) {
    static ONCE: Once = Once::new();
    if requested == Engine::Auto && info.engine == "tract" {
        ONCE.call_once(|| {
            eprintln!(
                "note: running on tract, since no usable ONNX Runtime library was found; \
                 `multivec runtime` lists where it was looked for"
            );
        });
    }
}

/// Says on standard error how a model runs other than one would expect.
fn warn(info: &BackendInfo) {
    let file = &info.model_file;
    if let form @ GraphForm::Refused { .. } = info.graph {
        eprintln!("warning: {file}: the graph runs {form}");
    }
    if let Quantization::Refused { reason } = &info.quantization {
        eprintln!("warning: weights run as they are stored, not in INT8: {reason}");
    }
    if let Padding::Avoided { distance, .. } = info.padding {
        eprintln!(
            "warning: {file}: padding changes vectors by {distance:.1e}, so only texts of equal \
             length share a batch"
        );
    }
}

impl ModelArguments {
    /// Loads the model, of whichever kind it is.
    pub(crate) fn load_any(&self) -> Result<LoadedModel<AnyEncoder>> {
        self.load_any_with(self.options()?)
    }

    /// Loads the model, of whichever kind it is, with other options.
    pub(crate) fn load_any_with(&self, options: LoadOptions) -> Result<LoadedModel<AnyEncoder>> {
        self.load_by(options, EncoderBuilder::build_any, AnyEncoder::info)
    }

    /// Loads another model with the same options, of whichever kind it is.
    pub(crate) fn load_also(&self, model: &Path) -> Result<AnyEncoder> {
        let mut options = self.options()?;
        options.file = None;
        let encoder = models::builder(model).with_options(options).build_any()?;
        warn(encoder.info());
        Ok(encoder)
    }

    /// Loads a reranker.
    pub(crate) fn load_cross_encoder(&self) -> Result<LoadedModel<CrossEncoder>> {
        let options = self.options()?;
        self.load_by(options, EncoderBuilder::build_as, CrossEncoder::info)
    }

    /// Loads a multi-vector model with other options.
    pub(crate) fn load_with(&self, options: LoadOptions) -> Result<LoadedModel<Encoder>> {
        self.load_by(options, EncoderBuilder::build, Encoder::info)
    }

    fn load_by<E>(
        &self,
        options: LoadOptions,
        build: impl Fn(&EncoderBuilder) -> Result<E>,
        info: impl Fn(&E) -> &BackendInfo,
    ) -> Result<LoadedModel<E>> {
        let start = Instant::now();
        let (builder, name) = match &self.model {
            Some(model) => (models::builder(model), model.display().to_string()),
            None => (demo::builder()?, demo::NAME.to_owned()),
        };
        let engine = options.engine;
        let encoder = build(&builder.with_options(options))?;
        note_fallback(engine, info(&encoder));
        warn(info(&encoder));
        Ok(LoadedModel {
            name,
            encoder,
            load: start.elapsed(),
        })
    }

    /// The directory of the model that was loaded, if a model is named.
    pub(crate) fn directory(&self) -> Result<Option<ModelDirectory>> {
        let options = self.options()?;
        let model = self.model.as_deref();
        model
            .map(|model| models::loaded_directory(model, &options))
            .transpose()
    }

    pub(crate) fn options(&self) -> Result<LoadOptions> {
        let mut options = LoadOptions::default();
        options.precision = self.precision.map(Precision::from);
        options.file.clone_from(&self.file);
        options.engine = self.engine.into();
        options.optimization = if self.no_optimize {
            Optimization::Off
        } else if self.no_measure {
            Optimization::Checked
        } else {
            Optimization::default()
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
        encode.pooling = self
            .pool_factor
            .map(|factor| Pooling::by(factor.into()).with_protected_tokens(self.protected_tokens));
        encode.dimensions = self.dimensions;
        encode.prompt.clone_from(&self.prompt);
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
