//! Everything that can be set when a model is loaded.

use std::path::PathBuf;

use multivec_core::{EncodeOptions, Precision};

mod optimization;
mod parallelism;
mod provider;

pub use optimization::Optimization;
pub(crate) use parallelism::Parallelism;
#[cfg(feature = "quantize")]
pub(crate) use parallelism::cores;
pub use provider::{
    AmdOptions, ComputeUnits, CoreMlOptions, CudaOptions, DirectMlOptions, OpenVinoOptions,
    Provider, TensorRtOptions, Tf32,
};

/// What runs the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// ONNX Runtime if its library is found; otherwise tract, in builds with
    /// the cargo feature `tract`.
    /// [`BackendInfo::engine`](crate::BackendInfo::engine) says which.
    ///
    /// tract is not chosen if the user names a library, by
    /// [`LoadOptions::library`] or `ORT_DYLIB_PATH`, or sets an option that
    /// ONNX Runtime alone has: more than one thread a session, a provider
    /// other than the CPU, or an [`Arena`].
    #[default]
    Auto,
    /// ONNX Runtime, whose shared library is loaded at run time.
    OnnxRuntime,
    /// tract, which needs no library, in builds with the cargo feature
    /// `tract`.
    Tract,
}

impl Engine {
    /// The engines of this build.
    pub const COMPILED: &[Self] = if cfg!(feature = "tract") {
        &[Self::OnnxRuntime, Self::Tract]
    } else {
        &[Self::OnnxRuntime]
    };
}

/// What happens to the memory that ONNX Runtime needed for a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arena {
    /// It is kept for the next batch: as much as the largest so far needed.
    #[default]
    Keep,
    /// It is freed after each batch, except for the first block.
    Shrink,
    /// There is no arena: each block is freed as soon as it is not needed.
    /// Slower, with the least memory.
    Off,
}

/// Options of loading, including those of encoding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Options of encoding.
    pub encode: EncodeOptions,
    /// What runs the graph.
    pub engine: Engine,
    /// The precision to load; by default INT8 where the provider is the CPU and
    /// the model has an INT8 graph or weights in safetensors, which are quantized
    /// as they are loaded, and FP32 otherwise. FP32 is all that is not
    /// quantized; [`BackendInfo`](crate::BackendInfo) says what was loaded.
    pub precision: Option<Precision>,
    /// The file of weights to load, by its path in the directory; without it,
    /// [`ModelDirectory::choose`](crate::ModelDirectory::choose) decides.
    pub file: Option<String>,
    /// The hardware path.
    pub provider: Provider,
    /// Cores to share among sessions and their threads; by default all that the
    /// process may use, by CPU affinity and cgroup quota. For processes that run
    /// side by side, such as the workers of a cluster.
    pub cores: Option<usize>,
    /// Threads of each session. Always 1 with tract.
    ///
    /// If neither this nor [`sessions`](Self::sessions) is set, every one of the
    /// [`cores`](Self::cores) has a session for batches that run side by side,
    /// and a batch that runs alone has a session with a thread for each core.
    pub threads: Option<usize>,
    /// Sessions that run batches side by side. Each has
    /// [`threads`](Self::threads) threads, or its share of the cores. They
    /// share one copy of the weights, except for original graphs that are read
    /// from a file. By default 1 on providers other than the CPU.
    pub sessions: Option<usize>,
    /// What happens to the memory that a batch needed.
    pub arena: Arena,
    /// Whether the graph is fused before it runs.
    pub optimization: Optimization,
    /// Where fused graphs are kept, with the result of comparing them with the
    /// original ones; by default the folder `multivec` in the user's cache
    /// directory.
    pub cache_dir: Option<PathBuf>,
    /// The ONNX Runtime library; searched for by default, see
    /// [`OnnxRuntime::load`](crate::OnnxRuntime::load).
    pub library: Option<PathBuf>,
}

impl LoadOptions {
    /// Sets the options of encoding.
    #[must_use]
    pub fn with_encode_options(mut self, options: EncodeOptions) -> Self {
        self.encode = options;
        self
    }

    /// Runs the graph on this engine.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Loads the weights in this file of the directory.
    #[must_use]
    pub fn with_file(mut self, file: impl Into<String>) -> Self {
        self.file = Some(file.into());
        self
    }

    /// Loads this precision, or fails.
    #[must_use]
    pub fn with_precision(mut self, precision: Precision) -> Self {
        self.precision = Some(precision);
        self
    }

    /// Runs on this hardware path.
    #[must_use]
    pub fn with_provider(mut self, provider: Provider) -> Self {
        self.provider = provider;
        self
    }

    /// Shares this many cores among sessions and threads.
    #[must_use]
    pub fn with_cores(mut self, cores: usize) -> Self {
        self.cores = Some(cores);
        self
    }

    /// Gives each session this many threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Opens this many sessions that run batches side by side.
    #[must_use]
    pub fn with_sessions(mut self, sessions: usize) -> Self {
        self.sessions = Some(sessions);
        self
    }

    /// Keeps or frees the memory that a batch needed.
    #[must_use]
    pub fn with_arena(mut self, arena: Arena) -> Self {
        self.arena = arena;
        self
    }

    /// Fuses the graph before it runs, or does not.
    #[must_use]
    pub fn with_optimization(mut self, optimization: Optimization) -> Self {
        self.optimization = optimization;
        self
    }

    /// Keeps fused graphs in this folder.
    #[must_use]
    pub fn with_cache_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache_dir = Some(folder.into());
        self
    }

    /// Loads the ONNX Runtime library from this file.
    #[must_use]
    pub fn with_library(mut self, library: impl Into<PathBuf>) -> Self {
        self.library = Some(library.into());
        self
    }
}
