//! Threads and sessions.

use multivec_core::{Error, Result};

use super::{Arena, Engine, LoadOptions, Provider};

/// The most sessions by default; with more cores, each session has several.
const MAX_SESSIONS: usize = 16;

/// Threads and sessions, resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parallelism {
    /// Sessions that run side by side.
    pub(crate) sessions: usize,
    /// Threads of each of them.
    pub(crate) threads: usize,
    /// Threads of one more session, for a batch that runs alone; 0 for none.
    pub(crate) wide: usize,
}

impl Parallelism {
    /// All sessions that may be opened.
    pub(crate) fn max_sessions(self) -> usize {
        self.sessions + usize::from(self.wide > 0)
    }
}

/// The cores that the process may use.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

impl LoadOptions {
    /// # Errors
    /// [`Error::InvalidOption`] for numbers out of range, and for options that
    /// the engine does not have.
    pub(crate) fn parallelism(&self) -> Result<Parallelism> {
        let counts = [
            ("cores", self.cores),
            ("threads", self.threads),
            ("sessions", self.sessions),
        ];
        for (name, value) in counts {
            if let Some(value) = value
                && !(1..=1024).contains(&value)
            {
                return Err(Error::option(name, "1 to 1024", value));
            }
        }
        let cores = self.cores.unwrap_or_else(cores);
        if self.engine == Engine::Tract {
            return self.tract_parallelism(cores);
        }
        let uses_defaults = self.threads.is_none() && self.sessions.is_none();
        if uses_defaults && self.provider == Provider::Cpu {
            let threads = cores.div_ceil(MAX_SESSIONS);
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

    /// tract runs each batch on one thread, all on the same weights.
    fn tract_parallelism(&self, cores: usize) -> Result<Parallelism> {
        match self.unsupported_by_tract() {
            Some(error) => Err(error),
            None => Ok(Parallelism {
                sessions: self.sessions.unwrap_or(cores),
                threads: 1,
                wide: 0,
            }),
        }
    }

    /// Whether an option is set that ONNX Runtime alone has.
    pub(crate) fn needs_onnxruntime(&self) -> bool {
        self.unsupported_by_tract().is_some()
    }

    fn unsupported_by_tract(&self) -> Option<Error> {
        if let Some(threads) = self.threads.filter(|&threads| threads != 1) {
            let expected = "1 with the engine tract";
            return Some(Error::option("threads", expected, threads));
        }
        if let Some(library) = &self.library {
            let expected = "none with the engine tract";
            return Some(Error::option("library", expected, library.display()));
        }
        if !matches!(self.provider, Provider::Cpu | Provider::Auto) {
            let expected = "cpu with the engine tract";
            return Some(Error::option("provider", expected, &self.provider));
        }
        if self.arena != Arena::Keep {
            let found = format!("{:?}", self.arena);
            return Some(Error::option("arena", "Keep with the engine tract", found));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uses_every_core_by_default() {
        let cores = cores();
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
    fn shares_the_cores_that_it_is_given() {
        let options = LoadOptions::default().with_cores(3);
        let found = options.parallelism().expect("three cores are valid");
        assert_eq!((found.sessions, found.threads, found.wide), (3, 1, 3));
        let found = options.with_engine(Engine::Tract).parallelism();
        assert_eq!(found.expect("three cores are valid").sessions, 3);
        let none = LoadOptions::default().with_cores(0).parallelism();
        assert_eq!(none.expect_err("a core is needed").code(), "invalid_option");
    }

    #[test]
    fn refuses_zero() {
        let options = LoadOptions {
            threads: Some(0),
            ..LoadOptions::default()
        };
        let error = options.parallelism().expect_err("a session needs a thread");
        assert_eq!(
            error.to_string(),
            "option `threads`: expected 1 to 1024, found 0"
        );
    }

    #[test]
    fn tract_has_one_thread_a_session_and_no_options_of_onnxruntime() {
        let mut options = LoadOptions {
            engine: Engine::Tract,
            ..LoadOptions::default()
        };
        let cores = cores();
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
        assert!(options.needs_onnxruntime());
        assert!(!LoadOptions::default().needs_onnxruntime());
    }
}
