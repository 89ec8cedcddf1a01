//! ONNX Runtime behind the core's `Backend` trait.

use multivec_core::batch::TokenBatch;
use multivec_core::{
    Backend, BackendInfo, Error, FormSpeed, GraphForm, Precision, Result, RunMode, Scheduling,
    TokenStates,
};
use ort::session::{NoSelectedOutputs, RunOptions, Session};

use super::ENGINE;
use super::error::invalid;
use super::opener::{SessionGraph, SessionOpener, SessionParts};
use super::pinned_output::PinnedOutput;
use super::placement::{self, Placement};
use super::providers;
use super::sessions::SessionPool;
use super::signature::{Run, Signature, States};
use crate::options::{Arena, Parallelism, Provider};

/// Frees memory after a run, see [`Arena::Shrink`].
const SHRINK: &str = "memory.enable_memory_arena_shrinkage";

/// Tokens of a batch on a device, which has more cores to fill than a CPU.
const DEVICE_TOKENS: usize = 2048;

/// Takes an output: its position among the names, its shape and its values.
#[cfg(feature = "quantize")]
pub(crate) type OnOutput<'a> = &'a mut dyn FnMut(usize, &[i64], &[f32]);

pub(crate) struct OrtBackend {
    sessions: SessionPool,
    signature: Signature,
    info: BackendInfo,
    parallelism: Parallelism,
    /// Tokens of a batch on the CPU.
    batch_tokens: usize,
    run_options: RunOptions<NoSelectedOutputs>,
    provider: Provider,
    pinned: Option<PinnedOutput>,
    placement: Option<Placement>,
}

impl OrtBackend {
    pub(crate) fn load(
        parts: SessionParts<'_>,
        form: GraphForm,
        precision: Precision,
    ) -> Result<Self> {
        let (runtime, file) = (parts.runtime, parts.model.file());
        let batch_tokens = parts.kernels.batch_tokens();
        let settings = parts.settings.clone();
        // A file may be replaced later, so all sessions read it now.
        let is_file = matches!(parts.graph, SessionGraph::File(_));
        let (opener, mut first) = SessionOpener::open_first(parts)?;
        let signature = Signature::read(file, &first)?;
        let fails = |error| invalid(file, error);
        let mut run_options = RunOptions::new().map_err(fails)?;
        if settings.arena == Arena::Shrink {
            run_options.set(SHRINK, "cpu:0").map_err(fails)?;
        }
        let provider = &settings.provider;
        let (placement, pinned) = match provider {
            Provider::Cpu => (None, None),
            _ => {
                let fails =
                    |error| providers::unavailable(provider, &format!("it failed: {error}"));
                let run = Run {
                    batch: &probe(),
                    options: &run_options,
                };
                let states = signature.states(&mut first, run).map_err(fails)?;
                let placement = placement::read(&mut first, provider).map_err(fails)?;
                let candidates = PinnedOutput::candidates(provider);
                let pinned = PinnedOutput::choose(candidates, &states, |pinned| {
                    pinned.run(&signature, &mut first, run)
                });
                (Some(placement), pinned)
            }
        };
        if placement.is_some_and(|found| found.placed == 0) {
            let found = "it runs none of the model's operators";
            return Err(providers::unavailable(provider, found));
        }
        let sessions = SessionPool::new(opener, first, settings.parallelism.sessions);
        if is_file {
            sessions.open_all()?;
        }
        let mut info = BackendInfo::new(ENGINE, precision, file)
            .with_engine_version(runtime.version())
            .with_provider(settings.provider.to_string())
            .with_graph(form);
        info.uses_token_type_ids = signature.uses_token_type_ids;
        info.dim = signature.dim;
        Ok(Self {
            info,
            sessions,
            signature,
            parallelism: settings.parallelism,
            batch_tokens,
            provider: settings.provider,
            run_options,
            pinned,
            placement,
        })
    }

    /// States how fast the two forms of the graph are.
    pub(crate) fn with_speed(mut self, speed: FormSpeed) -> Self {
        self.info.speed = speed;
        self
    }

    /// How many operators a provider other than the CPU runs.
    pub(crate) fn placement(&self) -> Option<Placement> {
        self.placement
    }

    /// Runs a batch, and calls `on_output` with other outputs of the graph.
    #[cfg(feature = "quantize")]
    pub(crate) fn run_with_outputs(
        &self,
        batch: &TokenBatch,
        names: &[String],
        on_output: OnOutput<'_>,
    ) -> Result<TokenStates> {
        let failed = self.failed(batch);
        self.sessions.with(RunMode::Exclusive, |session| {
            let outputs = self
                .signature
                .run(session, self.run_of(batch))
                .map_err(&failed)?;
            for (at, name) in names.iter().enumerate() {
                let output = outputs[name.as_str()].try_extract_tensor::<f32>();
                let (shape, data) = output.map_err(&failed)?;
                on_output(at, shape, data);
            }
            let states = self.signature.states_of(&outputs);
            self.checked(states.map_err(&failed)?, batch)
        })
    }

    fn run_session(&self, session: &mut Session, batch: &TokenBatch) -> ort::Result<States> {
        let run = self.run_of(batch);
        match &self.pinned {
            Some(pinned) => pinned.run(&self.signature, session, run),
            None => self.signature.states(session, run),
        }
    }

    fn run_of<'a>(&'a self, batch: &'a TokenBatch) -> Run<'a> {
        Run {
            batch,
            options: &self.run_options,
        }
    }

    fn failed(&self, batch: &TokenBatch) -> impl Fn(ort::Error) -> Error + use<> {
        let shape = [batch.rows, batch.length];
        move |error| Error::inference(ENGINE, shape, error)
    }

    /// Token states, if they are of the batch's shape.
    fn checked(&self, states: States, batch: &TokenBatch) -> Result<TokenStates> {
        match states.shape[..] {
            [rows, length, dim]
                if rows as usize == batch.rows
                    && (length as usize == batch.length || length == 1) =>
            {
                Ok(TokenStates::new(states.data, dim as usize))
            }
            _ => Err(Error::model_mismatch(
                &self.info.model_file,
                format_args!("output `{}`", self.signature.output),
                format_args!(
                    "shape [{0}, {1}, dim] or [{0}, 1, dim]",
                    batch.rows, batch.length
                ),
                format_args!("{:?}", states.shape),
            )),
        }
    }
}

impl Backend for OrtBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn scheduling(&self) -> Scheduling<'_> {
        let Parallelism {
            sessions, threads, ..
        } = self.parallelism;
        let batch_tokens = match self.placement {
            None => self.batch_tokens,
            Some(_) => DEVICE_TOKENS,
        };
        Scheduling::default()
            .with_concurrency(sessions)
            .with_parallelism(sessions * threads)
            .with_batch_tokens(batch_tokens)
            .with_batch_shapes(providers::batch_shapes(&self.provider))
    }

    fn run(&self, batch: &TokenBatch, mode: RunMode) -> Result<TokenStates> {
        self.sessions.with(mode, |session| {
            let states = self.run_session(session, batch);
            self.checked(states.map_err(self.failed(batch))?, batch)
        })
    }
}

/// A batch that any encoder accepts.
fn probe() -> TokenBatch {
    TokenBatch::unpadded(1, vec![0; 4])
}
