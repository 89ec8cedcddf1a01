//! ONNX Runtime behind the core's `Backend` trait.

use multivec_core::batch::TokenBatch;
use multivec_core::{
    Backend, BackendInfo, Error, GraphForm, Precision, Result, RunMode, Scheduling, TokenStates,
};
use ort::session::{NoSelectedOutputs, RunOptions, Session};

use super::opener::{SessionGraph, SessionOpener, SessionSettings};
use super::operators::Kernels;
use super::pinned_output::PinnedOutput;
use super::placement::{self, Placement};
use super::providers;
use super::sessions::SessionPool;
use super::signature::{Signature, States};
use super::{ENGINE, OnnxRuntime};
use crate::model::ModelGraph;
use crate::options::{Arena, Parallelism, Provider};

/// What a run does with memory that it no longer needs, see [`Arena::Shrink`].
const SHRINK: &str = "memory.enable_memory_arena_shrinkage";

/// Tokens of a batch for a device, which has more cores to fill.
const DEVICE_TOKENS: usize = 2048;

/// Takes an output: its position among the names, shape and numbers.
#[cfg(feature = "quantize")]
pub(crate) type Observe<'a> = &'a mut dyn FnMut(usize, &[i64], &[f32]);

pub(crate) struct OrtBackend {
    sessions: SessionPool,
    signature: Signature,
    info: BackendInfo,
    parallelism: Parallelism,
    /// Tokens of a batch for the CPU.
    batch_tokens: usize,
    run_options: RunOptions<NoSelectedOutputs>,
    provider: Provider,
    pinned: Option<PinnedOutput>,
    placement: Option<Placement>,
}

impl OrtBackend {
    pub(crate) fn load(
        runtime: &OnnxRuntime,
        model: &ModelGraph,
        (graph, form, kernels): (SessionGraph, GraphForm, &Kernels),
        (precision, settings): (Precision, SessionSettings),
    ) -> Result<Self> {
        let invalid = |error: ort::Error| Error::InvalidModel {
            file: model.file().to_owned(),
            engine: ENGINE,
            source: error.into(),
        };
        let batch_tokens = kernels.batch_tokens();
        // A file may be replaced, so that all sessions read it now.
        let is_file = matches!(graph, SessionGraph::File(_));
        let graph = (graph, kernels);
        let (opener, mut first) =
            SessionOpener::open_first(runtime, model, graph, settings.clone())?;
        let signature = Signature::read(model.file(), &first)?;
        let mut run_options = RunOptions::new().map_err(invalid)?;
        if settings.arena == Arena::Shrink {
            run_options.set(SHRINK, "cpu:0").map_err(invalid)?;
        }
        let provider = &settings.provider;
        let (placement, pinned) = match provider {
            Provider::Cpu => (None, None),
            _ => {
                let fails =
                    |error| providers::unavailable(provider, &format!("it failed: {error}"));
                let run = (&probe(), &run_options);
                let states = signature.states(&mut first, run).map_err(fails)?;
                let placement = placement::read(&mut first, provider).map_err(fails)?;
                let pinned = PinnedOutput::candidates(provider);
                let parts = (&signature, &mut first);
                (
                    Some(placement),
                    PinnedOutput::choose(pinned, &states, parts, run),
                )
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
        Ok(Self {
            info: BackendInfo {
                engine: ENGINE,
                engine_version: runtime.version().to_owned(),
                provider: settings.provider.to_string(),
                precision,
                uses_token_type_ids: signature.uses_token_type_ids,
                dim: signature.dim,
                model_file: model.file().to_owned(),
                graph: form,
            },
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

    /// Which operators a provider other than the CPU runs.
    pub(crate) fn placement(&self) -> Option<Placement> {
        self.placement
    }

    /// Runs a batch, and hands over other outputs of the graph than the states.
    #[cfg(feature = "quantize")]
    pub(crate) fn run_observed(
        &self,
        batch: &TokenBatch,
        names: &[String],
        observe: Observe<'_>,
    ) -> Result<TokenStates> {
        let failed = self.failed(batch);
        self.sessions.with(RunMode::Exclusive, |session| {
            let run = (batch, &self.run_options);
            let outputs = self.signature.run(session, run).map_err(&failed)?;
            for (at, name) in names.iter().enumerate() {
                let output = outputs[name.as_str()].try_extract_tensor::<f32>();
                let (shape, data) = output.map_err(&failed)?;
                observe(at, shape, data);
            }
            let states = self.signature.states_of(&outputs);
            self.checked(states.map_err(&failed)?, batch)
        })
    }

    fn run_session(&self, session: &mut Session, batch: &TokenBatch) -> ort::Result<States> {
        let run = (batch, &self.run_options);
        match &self.pinned {
            Some(pinned) => pinned.run(&self.signature, session, run),
            None => self.signature.states(session, run),
        }
    }

    fn failed(&self, batch: &TokenBatch) -> impl Fn(ort::Error) -> Error + use<> {
        let (rows, length) = (batch.rows, batch.length);
        move |error| Error::Inference {
            engine: ENGINE,
            rows,
            length,
            source: error.into(),
        }
    }

    /// States of the shape that a batch has.
    fn checked(&self, states: States, batch: &TokenBatch) -> Result<TokenStates> {
        match states.shape[..] {
            [rows, length, dim]
                if rows as usize == batch.rows && length as usize == batch.length =>
            {
                Ok(TokenStates {
                    data: states.data,
                    dim: dim as usize,
                })
            }
            _ => Err(Error::ModelMismatch {
                file: self.info.model_file.clone(),
                what: format!("output `{}`", self.signature.output),
                expected: format!("shape [{}, {}, dim]", batch.rows, batch.length),
                found: format!("{:?}", states.shape),
            }),
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

/// A batch that any encoder takes.
fn probe() -> TokenBatch {
    TokenBatch {
        rows: 1,
        length: 4,
        input_ids: vec![0; 4],
        attention_mask: vec![1; 4],
    }
}
