//! Everything that can be set when a model is loaded.

use std::fmt;
use std::path::PathBuf;

use multivec_core::{EncodeOptions, Error, Precision, Result};

/// What runs the graph.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Engine {
    /// ONNX Runtime, whose shared library is loaded at run time.
    #[default]
    OnnxRuntime,
    /// tract, which needs no library; in builds with the cargo feature
    /// `tract`.
    Tract,
}

/// The hardware path of ONNX Runtime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// The CPU.
    #[default]
    Cpu,
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
        })
    }
}

/// Whether a graph is fused before it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Optimization {
    /// It is fused, and on first use compared with the published graph on a
    /// few texts; the published one runs if they differ.
    #[default]
    Checked,
    /// It runs as it was published.
    Off,
}

/// Options of loading, with those of encoding inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Options of encoding.
    pub encode: EncodeOptions,
    /// What runs the graph.
    pub engine: Engine,
    /// The precision to load; by default INT8 where the model has it and the
    /// provider is the CPU, FP32 otherwise.
    pub precision: Option<Precision>,
    /// The hardware path.
    pub provider: Provider,
    /// Threads of each session; by default all cores that the process may use
    /// (CPU affinity and cgroup quota counted in), shared among the sessions.
    /// Always 1 with tract.
    pub threads: Option<usize>,
    /// Sessions that run batches side by side. In ONNX Runtime each has a copy
    /// of the weights, and there is 1 by default; in tract all share the
    /// weights, and there are as many as cores.
    pub sessions: Option<usize>,
    /// Whether the graph is fused before it runs. With tract it is fused at
    /// every load, and nothing is kept.
    pub optimization: Optimization,
    /// Where fused graphs are kept, with what was found out about them; by
    /// default the folder `multivec` in the user's cache directory.
    pub cache_dir: Option<PathBuf>,
    /// The ONNX Runtime library; looked for by default, see
    /// [`OnnxRuntime::load`](crate::OnnxRuntime::load).
    pub library: Option<PathBuf>,
}

/// Threads and sessions, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parallelism {
    pub(crate) sessions: usize,
    pub(crate) threads: usize,
}

impl Options {
    pub(super) fn parallelism(&self) -> Result<Parallelism> {
        for (name, value) in [("threads", self.threads), ("sessions", self.sessions)] {
            if let Some(value) = value
                && !(1..=1024).contains(&value)
            {
                return Err(Error::option(name, "1 to 1024", value));
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if self.engine == Engine::Tract {
            return self.tract_parallelism(cores);
        }
        let sessions = self.sessions.unwrap_or(1);
        Ok(Parallelism {
            sessions,
            threads: self.threads.unwrap_or((cores / sessions).max(1)),
        })
    }

    /// tract runs each batch on one thread, all over the same weights.
    fn tract_parallelism(&self, cores: usize) -> Result<Parallelism> {
        if let Some(threads) = self.threads.filter(|&threads| threads != 1) {
            return Err(Error::option("threads", "1 with the engine tract", threads));
        }
        if let Some(library) = &self.library {
            return Err(Error::option(
                "library",
                "none with the engine tract",
                library.display(),
            ));
        }
        Ok(Parallelism {
            sessions: self.sessions.unwrap_or(cores),
            threads: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_every_core_by_default() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let found = Options::default()
            .parallelism()
            .expect("defaults are valid");
        assert_eq!(found.threads, cores);
        assert_eq!(found.sessions, 1);
    }

    #[test]
    fn refuses_zero() {
        let options = Options {
            threads: Some(0),
            ..Options::default()
        };
        let error = options.parallelism().expect_err("no thread is no engine");
        assert_eq!(
            error.to_string(),
            "option `threads`: expected 1 to 1024, found 0"
        );
    }

    #[test]
    fn tract_has_one_thread_a_session_and_no_library() {
        let mut options = Options {
            engine: Engine::Tract,
            ..Options::default()
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let found = options.parallelism().expect("defaults are valid");
        assert_eq!((found.sessions, found.threads), (cores, 1));
        options.library = Some("libonnxruntime.so".into());
        let error = options.parallelism().expect_err("tract needs no library");
        assert_eq!(error.code(), "invalid_option");
        options.library = None;
        options.threads = Some(2);
        let error = options.parallelism().expect_err("tract has one thread");
        assert_eq!(
            error.to_string(),
            "option `threads`: expected 1 with the engine tract, found 2"
        );
    }
}
