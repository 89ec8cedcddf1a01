//! Sessions of ONNX Runtime behind the core's `Backend` trait.

use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};

use multivec_core::batch::TokenBatch;
use multivec_core::graph::Bytes;
use multivec_core::{Backend, BackendInfo, Error, GraphForm, Precision, Result, TokenStates};
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::value::TensorRef;

use super::operators::Kernels;
use super::signature::Signature;
use super::{ENGINE, OnnxRuntime};
use crate::load::{ModelGraph, Parallelism, Provider};

/// The graph of a session.
pub(crate) enum SessionGraph {
    File(PathBuf),
    Memory(Bytes),
}

const EXTERNAL_FOLDER: &str = "session.model_external_initializers_file_folder_path";

pub(crate) struct OrtBackend {
    sessions: SessionPool,
    signature: Signature,
    info: BackendInfo,
    concurrency: usize,
}

impl OrtBackend {
    pub(crate) fn load(
        runtime: &OnnxRuntime,
        model: &ModelGraph,
        (graph, form): (&SessionGraph, GraphForm),
        kernels: &Kernels,
        (precision, parallelism): (Precision, Parallelism),
    ) -> Result<Self> {
        let file = model.file.as_str();
        let invalid = |error: ort::Error| Error::InvalidModel {
            file: file.to_owned(),
            engine: ENGINE,
            source: error.into(),
        };
        let operators = kernels.domain().map_err(invalid)?;
        let sessions = (0..parallelism.sessions)
            .map(|_| {
                let mut builder = configure(runtime, parallelism.threads)?;
                if let Some(operators) = &operators {
                    builder = builder.with_operators(Arc::clone(operators))?;
                }
                match (graph, &model.folder) {
                    (SessionGraph::File(path), _) => builder.commit_from_file(path),
                    (SessionGraph::Memory(graph), Some(folder)) => builder
                        .with_config_entry(EXTERNAL_FOLDER, folder)?
                        .commit_from_memory(graph),
                    (SessionGraph::Memory(graph), None) => builder.commit_from_memory(graph),
                }
            })
            .collect::<ort::Result<Vec<_>>>()
            .map_err(invalid)?;
        let signature = match sessions.first() {
            Some(session) => Signature::read(file, session)?,
            None => return Err(Error::option("sessions", "1 or more", 0)),
        };
        Ok(Self {
            info: BackendInfo {
                engine: ENGINE,
                engine_version: runtime.version().to_owned(),
                provider: Provider::Cpu.to_string(),
                precision,
                uses_token_type_ids: signature.uses_token_type_ids,
                dim: signature.dim,
                model_file: file.to_owned(),
                graph: form,
            },
            sessions: SessionPool::new(sessions),
            signature,
            concurrency: parallelism.sessions,
        })
    }
}

/// Settings that were measured to be the fastest on CPUs: all graph
/// optimizations, no memory pattern, operators one after the other. INT8
/// products are exact on CPUs without VNNI as well, where the faster ones
/// saturate: 12 % slower there, and the same vectors everywhere.
fn configure(runtime: &OnnxRuntime, threads: usize) -> ort::Result<SessionBuilder> {
    Ok(Session::builder(runtime.environment())?
        // What fails is returned; a library does not write to the terminal.
        .with_log_level(LogLevel::Fatal)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        .with_memory_pattern(false)?
        .with_parallel_execution(false)?
        .with_intra_threads(threads)?
        .with_inter_threads(1)?
        .with_precise_qmm()?)
}

impl Backend for OrtBackend {
    fn info(&self) -> &BackendInfo {
        &self.info
    }

    fn concurrency(&self) -> usize {
        self.concurrency
    }

    fn run(&self, batch: &TokenBatch) -> Result<TokenStates> {
        let failed = |error: ort::Error| Error::Inference {
            engine: ENGINE,
            rows: batch.rows,
            length: batch.length,
            source: error.into(),
        };
        let shape = [batch.rows, batch.length];
        let zeros = match self.signature.uses_token_type_ids {
            true => vec![0i64; batch.input_ids.len()],
            false => Vec::new(),
        };
        let tensor = |values| TensorRef::<i64>::from_array_view((shape, values));
        let mut inputs = ort::inputs! {
            "input_ids" => tensor(batch.input_ids.as_slice()).map_err(failed)?,
            "attention_mask" => tensor(batch.attention_mask.as_slice()).map_err(failed)?,
        };
        if self.signature.uses_token_type_ids {
            let types = tensor(zeros.as_slice()).map_err(failed)?;
            inputs.push(("token_type_ids".into(), types.into()));
        }
        self.sessions.with(|session| {
            let outputs = session.run(inputs).map_err(failed)?;
            let states = &outputs[self.signature.output.as_str()];
            let (found, data) = states.try_extract_tensor::<f32>().map_err(failed)?;
            match **found {
                [rows, length, dim]
                    if rows as usize == batch.rows && length as usize == batch.length =>
                {
                    Ok(TokenStates {
                        data: data.to_vec(),
                        dim: dim as usize,
                    })
                }
                _ => Err(Error::ModelMismatch {
                    file: self.info.model_file.clone(),
                    what: format!("output `{}`", self.signature.output),
                    expected: format!("shape [{}, {}, dim]", batch.rows, batch.length),
                    found: format!("{found}"),
                }),
            }
        })
    }
}

/// Sessions that are handed out one caller at a time.
struct SessionPool {
    idle: Mutex<Vec<Session>>,
    returned: Condvar,
}

impl SessionPool {
    fn new(sessions: Vec<Session>) -> Self {
        Self {
            idle: Mutex::new(sessions),
            returned: Condvar::new(),
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Session) -> T) -> T {
        let mut lease = Lease {
            pool: self,
            session: Some(self.take()),
        };
        match &mut lease.session {
            Some(session) => work(session),
            None => unreachable!("a lease holds its session until it is dropped"),
        }
    }

    fn take(&self) -> Session {
        let mut idle = self.idle.lock().unwrap_or_else(|lock| lock.into_inner());
        loop {
            match idle.pop() {
                Some(session) => return session,
                None => {
                    idle = self
                        .returned
                        .wait(idle)
                        .unwrap_or_else(|lock| lock.into_inner());
                }
            }
        }
    }
}

/// Gives the session back even if its user panics, so that nobody waits for
/// it in vain.
struct Lease<'a> {
    pool: &'a SessionPool,
    session: Option<Session>,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let mut idle = self
            .pool
            .idle
            .lock()
            .unwrap_or_else(|lock| lock.into_inner());
        idle.extend(self.session.take());
        self.pool.returned.notify_one();
    }
}
