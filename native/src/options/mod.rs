//! Everything that can be set when a model is loaded.

use std::path::PathBuf;

use multivec_core::{EncodeOptions, Error, Precision, Result};

mod provider;

pub use provider::{
    AmdOptions, ComputeUnits, CoreMlOptions, CudaOptions, DirectMlOptions, OpenVinoOptions,
    Provider, TensorRtOptions, Tf32,
};

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

impl Engine {
    /// The engines that this build has.
    pub const COMPILED: &[Self] = if cfg!(feature = "tract") {
        &[Self::OnnxRuntime, Self::Tract]
    } else {
        &[Self::OnnxRuntime]
    };
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

/// What becomes of memory that ONNX Runtime needed for a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Arena {
    /// It is kept for the next one, as much as the largest batch so far needed.
    #[default]
    Keep,
    /// It is given back after each batch but for a first piece.
    Shrink,
    /// There is no arena: each piece is given back when it is not needed any
    /// more. Least memory, and slower.
    Off,
}

/// Options of loading, with those of encoding inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Options of encoding.
    pub encode: EncodeOptions,
    /// What runs the graph.
    pub engine: Engine,
    /// The precision to load; by default INT8 where the model has it and the
    /// provider is the CPU, FP32 otherwise.
    pub precision: Option<Precision>,
    /// The hardware path.
    pub provider: Provider,
    /// Threads of each session. Always 1 with tract.
    ///
    /// Where neither this nor [`sessions`](Self::sessions) is set, every core
    /// that the process may use (CPU affinity and cgroup quota counted in) has
    /// a session of its own for batches that run side by side, and a batch
    /// that runs alone has a session with the threads of all.
    pub threads: Option<usize>,
    /// Sessions that run batches side by side, with
    /// [`threads`](Self::threads) each, or the cores shared among them. All
    /// read the same weights, but for graphs that run as they were published,
    /// from a file. On a provider other than the CPU there is 1 by
    /// default.
    pub sessions: Option<usize>,
    /// What becomes of memory that a batch needed.
    pub arena: Arena,
    /// Whether the graph is fused before it runs.
    pub optimization: Optimization,
    /// Where fused graphs are kept, with what each engine found out about them; by
    /// default the folder `multivec` in the user's cache directory.
    pub cache_dir: Option<PathBuf>,
    /// The ONNX Runtime library; looked for by default, see
    /// [`OnnxRuntime::load`](crate::OnnxRuntime::load).
    pub library: Option<PathBuf>,
}

/// Most sessions that are opened unasked; on larger machines each has more
/// than one core.
const MOST_SESSIONS: usize = 16;

/// Threads and sessions, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parallelism {
    /// Sessions that run side by side.
    pub(crate) sessions: usize,
    /// Threads of each of them.
    pub(crate) threads: usize,
    /// Threads of one more, for a batch that runs alone; 0 for none.
    pub(crate) wide: usize,
}

impl Parallelism {
    /// Sessions that there may be.
    pub(crate) fn most_sessions(self) -> usize {
        self.sessions + usize::from(self.wide > 0)
    }
}

impl LoadOptions {
    pub(crate) fn parallelism(&self) -> Result<Parallelism> {
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
        let is_left_to_us = self.threads.is_none() && self.sessions.is_none();
        if is_left_to_us && self.provider == Provider::Cpu {
            let threads = cores.div_ceil(MOST_SESSIONS);
            return Ok(Parallelism {
                sessions: cores / threads,
                threads,
                wide: if cores > 1 { cores } else { 0 },
            });
        }
        let sessions = self.sessions.unwrap_or(1);
        Ok(Parallelism {
            sessions,
            threads: self.threads.unwrap_or((cores / sessions).max(1)),
            wide: 0,
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
        if !matches!(self.provider, Provider::Cpu | Provider::Auto) {
            let found = &self.provider;
            return Err(Error::option(
                "provider",
                "cpu with the engine tract",
                found,
            ));
        }
        if self.arena != Arena::Keep {
            let found = format!("{:?}", self.arena);
            return Err(Error::option("arena", "Keep with the engine tract", found));
        }
        Ok(Parallelism {
            sessions: self.sessions.unwrap_or(cores),
            threads: 1,
            wide: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_every_core_by_default() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let found = LoadOptions::default()
            .parallelism()
            .expect("defaults are valid");
        let busy = found.sessions * found.threads;
        assert!(busy <= cores && busy + found.threads > cores && found.sessions <= 16);
        assert_eq!(found.wide, if cores > 1 { cores } else { 0 });
        let one = LoadOptions {
            sessions: Some(1),
            ..LoadOptions::default()
        };
        let found = one.parallelism().expect("one session is valid");
        assert_eq!((found.sessions, found.threads, found.wide), (1, cores, 0));
    }

    #[test]
    fn refuses_zero() {
        let options = LoadOptions {
            threads: Some(0),
            ..LoadOptions::default()
        };
        let error = options.parallelism().expect_err("no thread is no engine");
        assert_eq!(
            error.to_string(),
            "option `threads`: expected 1 to 1024, found 0"
        );
    }

    #[test]
    fn tract_has_one_thread_a_session_and_no_library() {
        let mut options = LoadOptions {
            engine: Engine::Tract,
            ..LoadOptions::default()
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let found = options.parallelism().expect("defaults are valid");
        assert_eq!((found.sessions, found.threads), (cores, 1));
        options.library = Some("libonnxruntime.so".into());
        let error = options.parallelism().expect_err("tract needs no library");
        assert_eq!(error.code(), "invalid_option");
        options.library = None;
        options.provider = Provider::Xnnpack;
        let error = options.parallelism().expect_err("tract has no providers");
        assert!(error.to_string().contains("`provider`"), "{error}");
        options.provider = Provider::Cpu;
        options.arena = Arena::Off;
        let error = options.parallelism().expect_err("tract has no arena");
        assert!(error.to_string().contains("`arena`"), "{error}");
        options.arena = Arena::Keep;
        options.threads = Some(2);
        let error = options.parallelism().expect_err("tract has one thread");
        assert_eq!(
            error.to_string(),
            "option `threads`: expected 1 with the engine tract, found 2"
        );
    }
}
