//! The builder of an encoder.

use std::path::PathBuf;

use multivec_core::batch::{BatchLimit, BatchShapes};
use multivec_core::encoder::{Head, Normalization, QueryExpansion};
use multivec_core::pool::Pooling;
use multivec_core::tokenize::TruncationPolicy;
use multivec_core::{
    AnyEncoder, Backend, CrossEncoder, DenseEncoder, EncodeOptions, Encoder, HybridEncoder,
    ModelKind, Precision, Result, SparseEncoder, TextEncoder,
};

use super::onnxruntime::{Loaded, load};
use super::provider::load_on_best;
use super::source::Source;
use super::{engine, tract};
use crate::model::{ModelBytes, ModelFiles};
use crate::options::{Arena, Engine, LoadOptions, Optimization, Provider};
use crate::trace::span;

/// Loads a model and makes an [`Encoder`] with it.
///
/// Setters never fail; [`build`](Self::build) checks everything.
#[derive(Clone, Debug)]
pub struct EncoderBuilder {
    pub(super) source: Source,
    options: LoadOptions,
}

impl EncoderBuilder {
    /// Loads from a model directory, see [`ModelDirectory`](crate::ModelDirectory).
    pub fn from_dir(root: impl Into<PathBuf>) -> Self {
        Self::new(Source::Directory(root.into()))
    }

    /// Loads from the files of a model directory in memory, by their paths in
    /// it, such as `config.json` and `1_Dense/model.safetensors`.
    pub fn from_files<P: Into<String>, C: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        let files = files.into_iter();
        let files = files.map(|(path, content)| (path.into(), content.into().into()));
        Self::new(Source::Files(files.collect()))
    }

    /// Loads from bytes.
    pub fn from_bytes(mut bytes: ModelBytes) -> Self {
        let model = std::mem::take(&mut bytes.model).into();
        Self::new(Source::Bytes { rest: bytes, model })
    }

    pub(super) fn new(source: Source) -> Self {
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

    /// Loads the weights in this file, named by its path in the directory.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<String>) -> Self {
        self.options.file = Some(file.into());
        self
    }

    /// Loads this precision.
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

    /// Runs on this execution provider.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.options.provider = provider;
        self
    }

    /// Cores to share among sessions and threads.
    #[must_use]
    pub fn with_cores(mut self, cores: usize) -> Self {
        self.options.cores = Some(cores);
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

    /// What happens to the memory that a batch needed.
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

    /// Loads ONNX Runtime from this file.
    #[must_use]
    pub fn with_library(mut self, library: impl Into<PathBuf>) -> Self {
        self.options.library = Some(library.into());
        self
    }

    /// Maximum tokens of a query.
    #[must_use]
    pub fn with_query_length(mut self, tokens: usize) -> Self {
        self.options.encode.query_length = Some(tokens);
        self
    }

    /// Maximum tokens of a document.
    #[must_use]
    pub fn with_document_length(mut self, tokens: usize) -> Self {
        self.options.encode.document_length = Some(tokens);
        self
    }

    /// Whether queries are padded with mask tokens.
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

    /// Keeps the first columns of dense vectors.
    #[must_use]
    pub fn with_dimensions(mut self, columns: usize) -> Self {
        self.options.encode.dimensions = Some(columns);
        self
    }

    /// Puts the prompt of this name in front of all texts.
    #[must_use]
    pub fn with_prompt(mut self, name: impl Into<String>) -> Self {
        self.options.encode.prompt = Some(name.into());
        self
    }

    /// The maximum size of a batch.
    #[must_use]
    pub fn with_batch_limit(mut self, limit: BatchLimit) -> Self {
        self.options.encode.batch_limit = limit;
        self
    }

    /// Which shapes batches may have.
    #[must_use]
    pub fn with_batch_shapes(mut self, shapes: BatchShapes) -> Self {
        self.options.encode.batch_shapes = shapes;
        self
    }

    /// Loads a multi-vector model.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as).
    pub fn build(&self) -> Result<Encoder> {
        self.build_as()
    }

    /// Loads a model with one vector for each text.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as).
    pub fn build_dense(&self) -> Result<DenseEncoder> {
        self.build_as()
    }

    /// Loads a model with weights of the vocabulary.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as).
    pub fn build_sparse(&self) -> Result<SparseEncoder> {
        self.build_as()
    }

    /// Loads a reranker.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as).
    pub fn build_cross_encoder(&self) -> Result<CrossEncoder> {
        self.build_as()
    }

    /// Loads a model with all three kinds of embeddings in one pass, such as
    /// BGE-M3. The builders of one kind load such a model as well.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as).
    pub fn build_hybrid(&self) -> Result<HybridEncoder> {
        self.build_as()
    }

    /// Loads a model of any kind.
    ///
    /// # Errors
    /// Those of [`build_as`](Self::build_as).
    pub fn build_any(&self) -> Result<AnyEncoder> {
        let (files, backend) = self.load(None)?;
        AnyEncoder::new(files.parts, backend, files.weights, &self.options.encode)
    }

    /// Loads a model of the kind `H`.
    ///
    /// # Errors
    /// All of [`Error`](crate::Error): `Io`, `MissingFile`, `ConfigSyntax`,
    /// `ConfigValue`, `InvalidTokenizer`, `InvalidModel` and `ModelMismatch`
    /// if something is wrong with the model or it is of another kind, `InvalidOption` for options out
    /// of range, `EngineUnavailable` if the engine cannot be loaded,
    /// `ProviderUnavailable` if the provider cannot run the model, `Hub` if a
    /// hub cannot give it.
    pub fn build_as<H: Head>(&self) -> Result<TextEncoder<H>> {
        let (files, backend) = self.load(H::wanted())?;
        TextEncoder::new(files.parts, backend, files.weights, &self.options.encode)
    }

    fn load(&self, wanted: Option<ModelKind>) -> Result<(ModelFiles, Box<dyn Backend>)> {
        span!("load");
        let source = self.source.open()?;
        let (source, options) = (source.as_ref(), &self.options);
        let engine = engine::choose(options)?;
        if engine == Engine::Tract {
            let options = &LoadOptions {
                engine,
                ..options.clone()
            };
            let parallelism = options.parallelism()?;
            let files = source.read(options, wanted)?;
            let backend = tract::load(&files, parallelism, options)?;
            return Ok((files, backend));
        }
        let Loaded { files, backend } = match &options.provider {
            Provider::Auto => load_on_best(source, options, wanted)?,
            provider => load(source, options, provider.clone(), wanted)?,
        };
        Ok((files, Box::new(backend)))
    }
}
