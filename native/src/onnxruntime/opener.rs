//! Opens the sessions of a backend, which differ in their threads alone.

use std::path::PathBuf;
use std::sync::Mutex;

use multivec_core::Result;
use multivec_graph::Graph;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::OnnxRuntime;
use super::error::invalid;
use super::operators::Kernels;
use super::placement::profile_prefix;
use super::providers;
use super::shared::{SharedWeights, Taken};
use crate::model::{ModelGraph, WeightFiles};
use crate::options::{Arena, Parallelism, Provider};

/// The graph of a session.
pub(crate) enum SessionGraph {
    File(PathBuf),
    Memory(Box<Graph>),
}

/// The graph in the form that ONNX Runtime takes.
enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// How sessions run, whatever their graph.
#[derive(Clone)]
pub(crate) struct SessionSettings {
    pub(crate) provider: Provider,
    pub(crate) parallelism: Parallelism,
    pub(crate) arena: Arena,
}

/// What sessions are opened with.
pub(crate) struct SessionParts<'a> {
    pub(crate) runtime: &'a OnnxRuntime,
    pub(crate) model: &'a ModelGraph,
    pub(crate) graph: SessionGraph,
    /// The operators that the graph may have besides ONNX Runtime's.
    pub(crate) kernels: &'a Kernels,
    pub(crate) settings: SessionSettings,
}

/// Whether ONNX Runtime records which provider runs which operator.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profiling {
    Off,
    On,
}

const EXTERNAL_FOLDER: &str = "session.model_external_initializers_file_folder_path";
/// Threads spin while a batch runs, and sleep as soon as it is done.
const STOP_SPINNING: &str = "session.force_spinning_stop";

pub(super) struct SessionOpener {
    runtime: OnnxRuntime,
    file: String,
    folder: Option<String>,
    source: Source,
    kernels: Kernels,
    shared: SharedWeights,
    settings: SessionSettings,
    // Opening a session takes memory for weights that is freed afterwards.
    one_at_a_time: Mutex<()>,
}

impl SessionOpener {
    /// Also opens the first session: the wide one if there is one. On
    /// providers other than the CPU, it is profiled.
    pub(super) fn open_first(parts: SessionParts<'_>) -> Result<(Self, Session)> {
        let SessionParts {
            runtime,
            model,
            graph,
            kernels,
            settings,
        } = parts;
        let Parallelism { threads, wide, .. } = settings.parallelism;
        let threads = if wide > 0 { wide } else { threads };
        let is_cpu = settings.provider == Provider::Cpu;
        let profiling = if is_cpu {
            Profiling::Off
        } else {
            Profiling::On
        };
        let weights = &model.weights;
        let complete = match &graph {
            SessionGraph::Memory(graph) if is_cpu => Some(graph.clone()),
            _ => None,
        };
        let (source, shared) = source(graph, weights, &settings)?;
        let folder = weights.folder().map(|folder| folder.display().to_string());
        let mut opener = Self {
            runtime: runtime.clone(),
            file: model.file().to_owned(),
            folder,
            source,
            kernels: kernels.clone(),
            shared,
            settings,
            one_at_a_time: Mutex::default(),
        };
        if let Some(mut complete) = complete {
            if let Ok(session) = opener.open(threads, profiling) {
                return Ok((opener, session));
            }
            // Some libraries need the weights in the graph. If something else
            // is wrong, it fails again, with a message about the whole graph.
            weights.fill(&mut complete)?;
            opener.shared = opener.shared.with_complete_graph();
            opener.source = Source::Memory(complete.into_bytes());
        }
        let session = opener.open(threads, profiling)?;
        Ok((opener, session))
    }

    pub(super) fn has_wide(&self) -> bool {
        self.settings.parallelism.wide > 0
    }

    /// Opens one of the sessions that run side by side.
    pub(super) fn open_narrow(&self) -> Result<Session> {
        self.open(self.settings.parallelism.threads, Profiling::Off)
    }

    fn open(&self, threads: usize, profiling: Profiling) -> Result<Session> {
        let turn = self.one_at_a_time.lock();
        let _turn = turn.unwrap_or_else(|lock| lock.into_inner());
        let fails = |error| invalid(&self.file, error);
        let mut builder = self.configure(threads).map_err(fails)?;
        if profiling == Profiling::On {
            builder = builder
                .with_profiling(profile_prefix())
                .map_err(|error| fails(error.into()))?;
        }
        let builder = providers::register(builder, &self.settings.provider, threads)?;
        self.commit(builder, threads).map_err(fails)
    }

    /// Settings that were measured to be the fastest on CPUs: all graph
    /// optimizations, no memory pattern, operators one after the other. INT8
    /// products are exact: on CPUs without VNNI, the default ones saturate.
    /// That costs 12 % there and gives the same vectors on every CPU.
    fn configure(&self, threads: usize) -> ort::Result<SessionBuilder> {
        let use_arena = self.settings.arena != Arena::Off;
        let cpu = ep::CPU::default().with_arena_allocator(use_arena);
        Ok(Session::builder(self.runtime.environment())?
            // Errors are returned; a library does not write to the terminal.
            .with_log_level(LogLevel::Fatal)?
            .with_optimization_level(GraphOptimizationLevel::All)?
            .with_memory_pattern(false)?
            .with_parallel_execution(false)?
            .with_intra_threads(self.kernels.engine_threads(threads))?
            .with_inter_threads(1)?
            .with_config_entry(STOP_SPINNING, "1")?
            .with_execution_providers([cpu.build().error_on_failure()])?
            .with_precise_qmm()?)
    }

    fn commit(&self, mut builder: SessionBuilder, threads: usize) -> ort::Result<Session> {
        if let Some(operators) = self.kernels.domain(threads)? {
            builder = builder.with_operators(operators)?;
        }
        builder = self.shared.add_to(builder)?;
        match (&self.source, &self.folder) {
            (Source::File(path), _) => builder.commit_from_file(path),
            (Source::Memory(graph), Some(folder)) => builder
                .with_config_entry(EXTERNAL_FOLDER, folder)?
                .commit_from_memory(graph),
            (Source::Memory(graph), None) => builder.commit_from_memory(graph),
        }
    }
}

/// The graph in the form that ONNX Runtime takes, and the weights that were
/// taken out of it.
fn source(
    graph: SessionGraph,
    weights: &WeightFiles,
    settings: &SessionSettings,
) -> Result<(Source, SharedWeights)> {
    let mut graph = match graph {
        SessionGraph::File(path) => return Ok((Source::File(path), SharedWeights::none())),
        SessionGraph::Memory(graph) => graph,
    };
    let shared = match (&settings.provider, settings.parallelism.max_sessions()) {
        (Provider::Cpu, 1) => SharedWeights::take_from(&mut graph, weights, Taken::ModelFile)?,
        (Provider::Cpu, _) => SharedWeights::take_from(&mut graph, weights, Taken::Anywhere)?,
        _ => {
            weights.fill(&mut graph)?;
            SharedWeights::none()
        }
    };
    Ok((Source::Memory(graph.into_bytes()), shared))
}

#[cfg(test)]
pub(super) mod tests {
    use multivec_core::batch::TokenBatch;
    use ort::session::RunOptions;

    use super::super::placement;
    use super::super::signature::{Run, Signature};
    use super::*;
    use crate::options::CudaOptions;

    pub(in crate::onnxruntime) const FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/tiny-bert/model.onnx"
    );

    /// An opener for a small model on the CPU, and its first session.
    pub(in crate::onnxruntime) fn opener(parallelism: Parallelism) -> (SessionOpener, Session) {
        let model = ModelGraph::open(FILE.as_ref()).expect("a valid graph");
        let settings = SessionSettings {
            provider: Provider::Cpu,
            parallelism,
            arena: Arena::Keep,
        };
        let runtime = OnnxRuntime::load(None).expect("run `npm ci --ignore-scripts` in js/ first");
        let parts = SessionParts {
            runtime: &runtime,
            model: &model,
            graph: SessionGraph::Memory(model.graph.clone().into()),
            kernels: &Kernels::none(),
            settings,
        };
        SessionOpener::open_first(parts).expect("the session opens")
    }

    /// A profiled session that has run a batch.
    fn profiled() -> Session {
        let (opener, _) = opener(Parallelism {
            sessions: 1,
            threads: 1,
            wide: 0,
        });
        let mut session = opener.open(1, Profiling::On).expect("the session opens");
        let signature = Signature::read(FILE, &session).expect("an encoder's signature");
        let batch = TokenBatch::unpadded(1, vec![0; 4]);
        let options = RunOptions::new().expect("the library makes options");
        let run = Run {
            batch: &batch,
            options: &options,
        };
        drop(signature.run(&mut session, run).expect("the batch runs"));
        session
    }

    #[test]
    fn a_profile_names_the_provider_of_each_operator() {
        let found = placement::read(&mut profiled(), &Provider::Cpu).expect("a profile");
        assert!(found.placed > 20, "{found:?}");
        assert_eq!(found.placed, found.all);
        let cuda = Provider::Cuda(CudaOptions::default());
        let found = placement::read(&mut profiled(), &cuda).expect("a profile");
        assert_eq!(found.placed, 0);
        assert!(found.all > 20, "{found:?}");
    }
}
