//! How the sessions of a backend are opened, all alike but for their threads.

use std::path::PathBuf;
use std::sync::Mutex;

use multivec_core::{Error, Result};
use multivec_graph::Graph;
use ort::ep;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};

use super::operators::Kernels;
use super::placement::profile_prefix;
use super::providers;
use super::shared::{SharedWeights, Taken};
use super::{ENGINE, OnnxRuntime};
use crate::model::{ModelGraph, WeightFiles};
use crate::options::{Arena, Parallelism, Provider};

/// The graph of a session.
pub(crate) enum SessionGraph {
    File(PathBuf),
    Memory(Box<Graph>),
}

/// The same, as ONNX Runtime takes it.
enum Source {
    File(PathBuf),
    Memory(Vec<u8>),
}

/// Everything about a session but its graph.
#[derive(Clone)]
pub(crate) struct SessionSettings {
    pub(crate) provider: Provider,
    pub(crate) parallelism: Parallelism,
    pub(crate) arena: Arena,
}

/// Whether ONNX Runtime writes down what runs where.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Profiling {
    Off,
    On,
}

const EXTERNAL_FOLDER: &str = "session.model_external_initializers_file_folder_path";
/// Threads wait for work without sleeping while a batch runs, and sleep as
/// soon as it is done.
const STOP_SPINNING: &str = "session.force_spinning_stop";

pub(super) struct SessionOpener {
    runtime: OnnxRuntime,
    file: String,
    folder: Option<String>,
    source: Source,
    kernels: Kernels,
    shared: SharedWeights,
    settings: SessionSettings,
    // While it is opened a session holds weights that it gives up afterwards.
    one_at_a_time: Mutex<()>,
}

impl SessionOpener {
    /// Opens the session that a model is loaded with: the wide one, where
    /// there is one. On providers other than the CPU its first run is
    /// profiled.
    pub(super) fn open_first(
        runtime: &OnnxRuntime,
        model: &ModelGraph,
        (graph, kernels): (SessionGraph, &Kernels),
        settings: SessionSettings,
    ) -> Result<(Self, Session)> {
        let Parallelism { threads, wide, .. } = settings.parallelism;
        let threads = if wide > 0 { wide } else { threads };
        let is_cpu = settings.provider == Provider::Cpu;
        let profiling = match is_cpu {
            true => Profiling::Off,
            false => Profiling::On,
        };
        let weights = &model.weights;
        let whole = match &graph {
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
        if let Some(mut whole) = whole {
            if let Ok(session) = opener.open(threads, profiling) {
                return Ok((opener, session));
            }
            // A library that wants the weights in the graph has them there, or
            // says what is wrong with it.
            weights.fill(&mut whole)?;
            opener.shared = opener.shared.beside_the_whole();
            opener.source = Source::Memory(whole.into_bytes());
        }
        let session = opener.open(threads, profiling)?;
        Ok((opener, session))
    }

    pub(super) fn has_wide(&self) -> bool {
        self.settings.parallelism.wide > 0
    }

    /// One of those that run side by side.
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
    /// products are exact on CPUs without VNNI as well, where the faster ones
    /// saturate: 12 % slower there, and the same vectors everywhere.
    fn configure(&self, threads: usize) -> ort::Result<SessionBuilder> {
        let use_arena = self.settings.arena != Arena::Off;
        let cpu = ep::CPU::default().with_arena_allocator(use_arena);
        Ok(Session::builder(self.runtime.environment())?
            // What fails is returned; a library does not write to the terminal.
            .with_log_level(LogLevel::Fatal)?
            .with_optimization_level(GraphOptimizationLevel::Level3)?
            .with_memory_pattern(false)?
            .with_parallel_execution(false)?
            .with_intra_threads(self.kernels.leave_of(threads))?
            .with_inter_threads(1)?
            .with_config_entry(STOP_SPINNING, "1")?
            .with_execution_providers([cpu.build().error_on_failure()])?
            .with_precise_qmm()?)
    }

    fn commit(&self, mut builder: SessionBuilder, threads: usize) -> ort::Result<Session> {
        if let Some(operators) = self.kernels.domain(threads)? {
            builder = builder.with_operators(operators)?;
        }
        builder = self.shared.lend_to(builder)?;
        match (&self.source, &self.folder) {
            (Source::File(path), _) => builder.commit_from_file(path),
            (Source::Memory(graph), Some(folder)) => builder
                .with_config_entry(EXTERNAL_FOLDER, folder)?
                .commit_from_memory(graph),
            (Source::Memory(graph), None) => builder.commit_from_memory(graph),
        }
    }
}

/// The graph as ONNX Runtime takes it, and the weights that it is without.
fn source(
    graph: SessionGraph,
    weights: &WeightFiles,
    settings: &SessionSettings,
) -> Result<(Source, SharedWeights)> {
    let mut graph = match graph {
        SessionGraph::File(path) => return Ok((Source::File(path), SharedWeights::none())),
        SessionGraph::Memory(graph) => graph,
    };
    let shared = match (&settings.provider, settings.parallelism.most_sessions()) {
        (Provider::Cpu, 1) => SharedWeights::take_from(&mut graph, weights, Taken::ModelFile)?,
        (Provider::Cpu, _) => SharedWeights::take_from(&mut graph, weights, Taken::Anywhere)?,
        _ => {
            weights.fill(&mut graph)?;
            SharedWeights::none()
        }
    };
    Ok((Source::Memory(graph.into_bytes()), shared))
}

pub(super) fn invalid(file: &str, error: ort::Error) -> Error {
    Error::InvalidModel {
        file: file.to_owned(),
        engine: ENGINE,
        source: error.into(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use multivec_core::batch::TokenBatch;
    use ort::session::RunOptions;

    use super::super::placement;
    use super::super::signature::Signature;
    use super::*;
    use crate::model::read;
    use crate::options::CudaOptions;

    pub(in crate::onnxruntime) const FILE: &str = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/tiny-bert/model.onnx"
    );

    /// Sessions of a small model on the CPU.
    pub(in crate::onnxruntime) fn opener(parallelism: Parallelism) -> (SessionOpener, Session) {
        let bytes = read(FILE.as_ref()).expect("the fixture is there");
        let model = ModelGraph::parse(FILE, bytes.into()).expect("it is a graph");
        let settings = SessionSettings {
            provider: Provider::Cpu,
            parallelism,
            arena: Arena::Keep,
        };
        let runtime = OnnxRuntime::load(None).expect("there is a library");
        let graph = SessionGraph::Memory(model.graph.clone().into());
        let graph = (graph, &Kernels::none());
        SessionOpener::open_first(&runtime, &model, graph, settings).expect("it opens")
    }

    /// A session that has run a batch and was profiled.
    fn profiled() -> Session {
        let (opener, _) = opener(Parallelism {
            sessions: 1,
            threads: 1,
            wide: 0,
        });
        let mut session = opener.open(1, Profiling::On).expect("it opens");
        let signature = Signature::read(FILE, &session).expect("it is an encoder");
        let batch = TokenBatch {
            rows: 1,
            length: 4,
            input_ids: vec![0; 4],
            attention_mask: vec![1; 4],
        };
        let options = RunOptions::new().expect("there are options");
        let ran = signature.run(&mut session, (&batch, &options));
        drop(ran.expect("it runs"));
        session
    }

    #[test]
    fn a_profile_tells_which_provider_ran() {
        let found = placement::read(&mut profiled(), &Provider::Cpu).expect("a profile");
        assert!(found.placed > 20, "{found:?}");
        assert_eq!(found.placed, found.all);
        let cuda = Provider::Cuda(CudaOptions::default());
        let found = placement::read(&mut profiled(), &cuda).expect("a profile");
        assert_eq!(found.placed, 0);
        assert!(found.all > 20, "{found:?}");
    }
}
