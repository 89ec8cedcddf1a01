//! The builder of an encoder.

use std::path::{Path, PathBuf};

use multivec_core::batch::{BatchLimit, BatchShapes};
use multivec_core::encoder::{Normalization, QueryExpansion};
use multivec_core::pool::Pooling;
use multivec_core::tokenize::TruncationPolicy;
use multivec_core::{Backend, EncodeOptions, Encoder, Precision, Result};
use multivec_graph::Bytes;

use super::{auto, tract};
use crate::model::{ModelBytes, ModelFiles};
use crate::onnxruntime::{self, OnnxRuntime, OrtBackend, SessionSettings};
use crate::optimize::{GraphLoader, OrtGraphs};
use crate::options::{Arena, Engine, LoadOptions, Optimization, Provider};

#[derive(Clone, Debug)]
enum Source {
    Directory(PathBuf),
    /// The model apart, so that it is never copied.
    Bytes {
        rest: ModelBytes,
        model: Bytes,
    },
}

/// Loads a model and makes an [`Encoder`] of it.
///
/// Setters never fail; [`build`](Self::build) checks everything.
#[derive(Clone, Debug)]
pub struct EncoderBuilder {
    source: Source,
    options: LoadOptions,
}

impl EncoderBuilder {
    /// Loads from a model directory, see [`ModelDirectory`](crate::ModelDirectory).
    pub fn from_dir(root: impl Into<PathBuf>) -> Self {
        Self::new(Source::Directory(root.into()))
    }

    /// Loads from bytes.
    pub fn from_bytes(mut bytes: ModelBytes) -> Self {
        let model = std::mem::take(&mut bytes.model).into();
        Self::new(Source::Bytes { rest: bytes, model })
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            options: LoadOptions::default(),
        }
    }

    /// Replaces all options.
    #[must_use]
    pub fn with_options(mut self, options: LoadOptions) -> Self {
        self.options = options;
        self
    }

    /// Replaces the options of encoding.
    #[must_use]
    pub fn with_encode_options(mut self, options: EncodeOptions) -> Self {
        self.options.encode = options;
        self
    }

    /// Loads this precision, or fails.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.options.precision = Some(precision);
        self
    }

    /// Runs the graph on this engine.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.options.engine = engine;
        self
    }

    /// Runs on this hardware path.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.options.provider = provider;
        self
    }

    /// Threads of each session.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.options.threads = Some(threads);
        self
    }

    /// Sessions that run batches side by side.
    #[must_use]
    pub fn with_sessions(mut self, sessions: usize) -> Self {
        self.options.sessions = Some(sessions);
        self
    }

    /// What becomes of memory that a batch needed.
    #[must_use]
    pub fn with_arena(mut self, arena: Arena) -> Self {
        self.options.arena = arena;
        self
    }

    /// Whether the graph is fused before it runs.
    #[must_use]
    pub fn with_optimization(mut self, optimization: Optimization) -> Self {
        self.options.optimization = optimization;
        self
    }

    /// Keeps fused graphs in this folder.
    #[must_use]
    pub fn with_cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.options.cache_dir = Some(folder.into());
        self
    }

    /// Takes the ONNX Runtime library from this file.
    #[must_use]
    pub fn with_library(mut self, library: impl Into<PathBuf>) -> Self {
        self.options.library = Some(library.into());
        self
    }

    /// Most tokens of a query.
    #[must_use]
    pub fn with_query_length(mut self, tokens: usize) -> Self {
        self.options.encode.query_length = Some(tokens);
        self
    }

    /// Most tokens of a document.
    #[must_use]
    pub fn with_document_length(mut self, tokens: usize) -> Self {
        self.options.encode.document_length = Some(tokens);
        self
    }

    /// Whether queries are filled up with mask tokens.
    #[must_use]
    pub fn with_query_expansion(mut self, expansion: QueryExpansion) -> Self {
        self.options.encode.query_expansion = expansion;
        self
    }

    /// What to do with texts that are too long.
    #[must_use]
    pub fn with_truncation(mut self, policy: TruncationPolicy) -> Self {
        self.options.encode.truncation = policy;
        self
    }

    /// Whether rows are scaled to length 1.
    #[must_use]
    pub fn with_normalization(mut self, normalization: Normalization) -> Self {
        self.options.encode.normalization = normalization;
        self
    }

    /// Pools documents.
    #[must_use]
    pub fn with_pooling(mut self, pooling: Pooling) -> Self {
        self.options.encode.pooling = Some(pooling);
        self
    }

    /// How much goes into one batch.
    #[must_use]
    pub fn with_batch_limit(mut self, limit: BatchLimit) -> Self {
        self.options.encode.batch_limit = limit;
        self
    }

    /// Which shapes batches have.
    #[must_use]
    pub fn with_batch_shapes(mut self, shapes: BatchShapes) -> Self {
        self.options.encode.batch_shapes = shapes;
        self
    }

    /// Loads the model.
    ///
    /// # Errors
    /// `Io`, `MissingFile`, `ConfigSyntax`, `ConfigValue`, `InvalidTokenizer`,
    /// `InvalidModel` and `ModelMismatch` (all of [`Error`](crate::Error)) for
    /// what is wrong with the model, `InvalidOption` for options out of range,
    /// `EngineUnavailable` without ONNX Runtime, `ProviderUnavailable` for a
    /// provider that cannot be had.
    pub fn build(&self) -> Result<Encoder> {
        let options = &self.options;
        let (files, backend): (_, Box<dyn Backend>) = match (options.engine, &options.provider) {
            (Engine::OnnxRuntime, Provider::Auto) => boxed(auto::choose(self)?),
            (Engine::OnnxRuntime, provider) => boxed(self.load_with(provider.clone())?),
            (Engine::Tract, _) => {
                let parallelism = options.parallelism()?;
                let files = self.files(options)?;
                let backend = tract::load(&files, parallelism, options)?;
                return Encoder::new(files.parts, backend, files.weights, &options.encode);
            }
        };
        Encoder::new(files.parts, backend, files.weights, &options.encode)
    }

    /// Loads the model into ONNX Runtime, on that provider.
    pub(super) fn load_with(&self, provider: Provider) -> Result<(ModelFiles, OrtBackend)> {
        let options = &LoadOptions {
            provider,
            ..self.options.clone()
        };
        let parallelism = options.parallelism()?;
        let files = self.files(options)?;
        let runtime = OnnxRuntime::load(self.library())?;
        onnxruntime::check_listed(&runtime, &options.provider)?;
        let published = GraphLoader {
            runner: OrtGraphs {
                runtime: &runtime,
                model: &files.model,
                precision: files.precision,
                settings: SessionSettings {
                    provider: options.provider.clone(),
                    parallelism,
                    arena: options.arena,
                },
            },
            parts: &files.parts,
            precision: files.precision,
            normalization: options.encode.normalization,
            content: files.weights.to_hex(),
        };
        let backend = match options.optimization {
            Optimization::Off => published.load()?,
            Optimization::Checked => published.load_fused(options.cache_dir.as_deref())?,
        };
        Ok((files, backend))
    }

    /// Where the library is, if the user said so.
    pub(super) fn library(&self) -> Option<&Path> {
        self.options.library.as_deref()
    }

    fn files(&self, options: &LoadOptions) -> Result<ModelFiles> {
        match &self.source {
            Source::Directory(root) => ModelFiles::from_dir(root, options),
            Source::Bytes { rest, model } => ModelFiles::from_bytes(rest, model, options),
        }
    }
}

fn boxed((files, backend): (ModelFiles, OrtBackend)) -> (ModelFiles, Box<dyn Backend>) {
    (files, Box::new(backend))
}
