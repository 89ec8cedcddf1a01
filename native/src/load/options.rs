//! Everything that can be set when a model is loaded.

use std::fmt;
use std::path::PathBuf;

use multivec_core::{EncodeOptions, Error, Precision, Result};

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

/// Options of loading, with those of encoding inside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Options of encoding.
    pub encode: EncodeOptions,
    /// The precision to load; by default INT8 where the model has it and the
    /// provider is the CPU, FP32 otherwise.
    pub precision: Option<Precision>,
    /// The hardware path.
    pub provider: Provider,
    /// Threads of each session; by default all cores that the process may use
    /// (CPU affinity and cgroup quota counted in), shared among the sessions.
    pub threads: Option<usize>,
    /// Sessions that run batches side by side, each with a copy of the
    /// weights; 1 by default.
    pub sessions: Option<usize>,
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
        let sessions = self.sessions.unwrap_or(1);
        for (name, value) in [("threads", self.threads), ("sessions", self.sessions)] {
            if let Some(value) = value
                && !(1..=1024).contains(&value)
            {
                return Err(Error::option(name, "1 to 1024", value));
            }
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Parallelism {
            sessions,
            threads: self.threads.unwrap_or((cores / sessions).max(1)),
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
}
