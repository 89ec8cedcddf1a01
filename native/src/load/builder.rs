//! The builder of an encoder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use multivec_core::graph::{Graph, remove_final_normalization};
use multivec_core::tokenize::TruncationPolicy;
use multivec_core::{EncodeOptions, Encoder, Error, ModelParts, Precision, Result, WeightsHasher};
use multivec_core::{
    batch::BatchLimit,
    encoder::{Normalization, QueryExpansion},
    pool::Pooling,
};

use super::{ModelDirectory, Options, Provider};
use crate::onnxruntime::{GraphSource, OnnxRuntime, OrtBackend};

/// The files of a model, in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelBytes {
    /// `onnx_config.json`.
    pub config: Vec<u8>,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `model.onnx` or `model_int8.onnx`.
    pub model: Vec<u8>,
    /// Which of the two it is.
    pub precision: Precision,
}

#[derive(Clone, Debug)]
enum Source {
    Directory(PathBuf),
    Bytes(ModelBytes),
}

/// Loads a model and makes an [`Encoder`] of it.
///
/// Setters never fail; [`build`](Self::build) checks everything.
#[derive(Clone, Debug)]
pub struct EncoderBuilder {
    source: Source,
    options: Options,
}

impl EncoderBuilder {
    /// Loads from a model directory, see [`ModelDirectory`].
    pub fn from_dir(root: impl Into<PathBuf>) -> Self {
        Self::new(Source::Directory(root.into()))
    }

    /// Loads from bytes.
    pub fn from_bytes(bytes: ModelBytes) -> Self {
        Self::new(Source::Bytes(bytes))
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            options: Options::default(),
        }
    }

    /// Replaces all options.
    #[must_use]
    pub fn with_options(mut self, options: Options) -> Self {
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

    /// Loads the model.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::MissingFile`], [`Error::ConfigSyntax`],
    /// [`Error::ConfigValue`], [`Error::InvalidTokenizer`],
    /// [`Error::InvalidModel`] and [`Error::ModelMismatch`] for what is wrong
    /// with the model, [`Error::InvalidOption`] for options out of range,
    /// [`Error::EngineUnavailable`] without ONNX Runtime.
    pub fn build(&self) -> Result<Encoder> {
        let options = &self.options;
        let parallelism = options.parallelism()?;
        let loaded = match &self.source {
            Source::Directory(root) => Loaded::from_dir(root, options)?,
            Source::Bytes(bytes) => Loaded::from_bytes(bytes, options)?,
        };
        let runtime = OnnxRuntime::load(options.library.as_deref())?;
        let backend = OrtBackend::load(
            &runtime,
            &loaded.file,
            loaded.graph,
            loaded.precision,
            parallelism,
        )?;
        Encoder::new(
            loaded.parts,
            Box::new(backend),
            loaded.weights,
            &options.encode,
        )
    }
}

struct Loaded<'a> {
    parts: ModelParts,
    file: String,
    graph: GraphSource<'a>,
    weights: WeightsHasher,
    precision: Precision,
}

impl<'a> Loaded<'a> {
    fn from_dir(root: &Path, options: &Options) -> Result<Self> {
        let directory = ModelDirectory::open(root)?;
        let (model, precision) = directory.choose(options.precision)?;
        let named = |path: &Path| Ok::<_, Error>((path.display().to_string(), read(path)?));
        let (config, tokenizer) = (named(directory.config())?, named(directory.tokenizer())?);
        let parts = ModelParts::from_json((&config.0, &config.1), (&tokenizer.0, &tokenizer.1))?;
        let file = model.display().to_string();
        let bytes = read(model)?;
        let mut weights = WeightsHasher::new();
        weights.update(&bytes);
        let mut graph = Graph::parse(&file, bytes.into())?;
        let folder = model.parent().unwrap_or(root);
        hash_external(&graph, folder, &mut weights)?;
        let graph = match options.encode.normalization {
            Normalization::Off => {
                remove_final_normalization(&mut graph);
                GraphSource::Rewritten {
                    graph: graph.into_bytes(),
                    folder: folder.display().to_string(),
                }
            }
            _ => GraphSource::File(model.to_owned()),
        };
        Ok(Self {
            parts,
            graph,
            weights,
            precision,
            file,
        })
    }

    fn from_bytes(bytes: &'a ModelBytes, options: &Options) -> Result<Self> {
        if let Some(precision) = options.precision
            && precision != bytes.precision
        {
            return Err(Error::option("precision", bytes.precision, precision));
        }
        let parts = ModelParts::from_json(
            ("onnx_config.json", &bytes.config),
            ("tokenizer.json", &bytes.tokenizer),
        )?;
        let file = match bytes.precision {
            Precision::Int8 => "model_int8.onnx",
            _ => "model.onnx",
        };
        let mut weights = WeightsHasher::new();
        weights.update(&bytes.model);
        let graph = match options.encode.normalization {
            Normalization::Off => raw_rows(file, bytes.model.clone())?.into(),
            _ => bytes.model.as_slice().into(),
        };
        Ok(Self {
            parts,
            graph: GraphSource::Bytes(graph),
            weights,
            precision: bytes.precision,
            file: file.to_owned(),
        })
    }
}

/// The graph without a normalization at its end.
fn raw_rows(file: &str, bytes: Vec<u8>) -> Result<Vec<u8>> {
    let mut graph = Graph::parse(file, bytes.into())?;
    remove_final_normalization(&mut graph);
    Ok(graph.into_bytes())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|source| reading(path, source))
}

fn reading(path: &Path, source: std::io::Error) -> Error {
    Error::Io {
        path: path.display().to_string(),
        action: "reading",
        source,
    }
}

/// Hashes the weights that a graph keeps in files of their own.
fn hash_external(graph: &Graph, folder: &Path, weights: &mut WeightsHasher) -> Result<()> {
    for name in graph.external_files() {
        let path = folder.join(name);
        let file = File::open(&path).map_err(|source| reading(&path, source))?;
        weights
            .update_reader(file)
            .map_err(|source| reading(&path, source))?;
    }
    Ok(())
}
