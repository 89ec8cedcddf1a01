//! Tables of ONNX Runtime's own settings, which multivec has settled: options
//! of sessions, IO binding, and where the time goes by operator. They run the
//! graph as it was published, and nothing else.

use std::collections::HashMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;

use multivec_peers_protocol::Result;
use ort::environment::Environment;
use ort::ep;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use ort::session::{Session, SessionInputValue};
use ort::value::Tensor;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::encoders::cores;
use crate::machine::{self, Rounds};
use crate::models::{self, Model};
use crate::results::{self, Table};
use crate::settings::{Setting, table};

const LENGTH: usize = 128;
/// Documents of a table.
const DOCUMENTS: usize = 32;
/// Documents of a batch, unless a table is about that.
const BATCH: usize = 16;

pub fn run(rounds: Rounds, only: Option<&str>) -> Result {
    let library = machine::library()?;
    let environment = ort::init_from(&library.path)
        .map_err(|error| error.to_string())?
        .with_name("sessions")
        .build()
        .map_err(text)?;
    results::of_each_model("sessions", (rounds, only), |model| {
        let graph = Graph {
            environment: &environment,
            model,
        };
        Ok(vec![
            graph.options(rounds)?,
            graph.binding(rounds)?,
            graph.operators(rounds)?,
        ])
    })
}

fn text(error: ort::Error) -> String {
    error.to_string()
}

type Change = fn(SessionBuilder) -> ort::Result<SessionBuilder>;

struct Graph<'a> {
    environment: &'a Environment,
    model: &'a Model,
}

impl Graph<'_> {
    fn session(&self, change: Change) -> Result<Session> {
        let build = || {
            let builder = Session::builder(self.environment)?
                .with_optimization_level(GraphOptimizationLevel::Level3)?
                .with_intra_threads(cores())?;
            change(builder)?.commit_from_file(self.model.file())
        };
        build().map_err(|error| format!("{}: {error}", self.model.title()))
    }

    /// Options of sessions, each on its own.
    fn options(&self, rounds: Rounds) -> Result<Table> {
        let options: [(&str, Change); 6] = [
            ("ONNX Runtime's defaults", Ok),
            ("no memory pattern", |builder| {
                Ok(builder.with_memory_pattern(false)?)
            }),
            ("no arena", |builder| {
                let cpu = ep::CPU::default().with_arena_allocator(false);
                Ok(builder.with_execution_providers([cpu.build()])?)
            }),
            ("neither", |builder| {
                let cpu = ep::CPU::default().with_arena_allocator(false);
                Ok(builder
                    .with_memory_pattern(false)?
                    .with_execution_providers([cpu.build()])?)
            }),
            ("operators side by side", |builder| {
                Ok(builder
                    .with_parallel_execution(true)?
                    .with_inter_threads(cores())?)
            }),
            ("exact INT8 products without VNNI", |builder| {
                Ok(builder.with_precise_qmm()?)
            }),
        ];
        let mut settings = Vec::new();
        for (name, change) in options {
            let mut session = self.session(change)?;
            settings.push(Setting {
                name: name.to_owned(),
                encode: Box::new(move || run_batches(&mut session, BATCH)),
            });
        }
        let title = format!("Options of sessions, {LENGTH} tokens");
        table(title, settings, DOCUMENTS, rounds.count(9))
    }

    /// Outputs that are bound, against those that are copied out.
    fn binding(&self, rounds: Rounds) -> Result<Table> {
        let mut settings = Vec::new();
        for batch in [4, 8, 16, 32] {
            let mut plain = self.session(Ok)?;
            settings.push(Setting {
                name: format!("batches of {batch}"),
                encode: Box::new(move || run_batches(&mut plain, batch)),
            });
            let mut bound = self.session(Ok)?;
            settings.push(Setting {
                name: format!("batches of {batch}, bound"),
                encode: Box::new(move || run_bound(&mut bound, batch)),
            });
        }
        let title = format!("IO binding, {LENGTH} tokens");
        table(title, settings, DOCUMENTS, rounds.count(9))
    }

    /// Where the time goes, by ONNX Runtime's own profile.
    fn operators(&self, rounds: Rounds) -> Result<Table> {
        let folder = models::root().join("target/bench");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let mut session = {
            let build = || {
                Session::builder(self.environment)?
                    .with_optimization_level(GraphOptimizationLevel::Level3)?
                    .with_intra_threads(cores())?
                    .with_profiling(folder.join("profile"))?
                    .commit_from_file(self.model.file())
            };
            build().map_err(text)?
        };
        for _ in 0..rounds.count(9) {
            run_batches(&mut session, BATCH)?;
        }
        let profile = session.end_profiling().map_err(text)?;
        let shares = shares(Path::new(&profile));
        fs::remove_file(&profile).map_err(|error| format!("{profile}: {error}"))?;
        let mut shares: Vec<(String, f64)> = shares?.into_iter().collect();
        shares.sort_by(|left, right| right.1.total_cmp(&left.1));
        let total: f64 = shares.iter().map(|(_, time)| time).sum();
        let percent = |time: f64| format!("{:.1} %", 100. * time / total);
        let (most, others) = shares.split_at(shares.len().min(8));
        let mut rows: Vec<Vec<String>> = most
            .iter()
            .map(|(name, time)| vec![format!("`{name}`"), percent(*time)])
            .collect();
        let others = others.iter().map(|(_, time)| time).sum();
        rows.push(vec!["others".to_owned(), percent(others)]);
        Ok(Table {
            title: format!("Time by operator, {LENGTH} tokens"),
            columns: vec!["operator".to_owned(), "of the time".to_owned()],
            rows,
            note: format!("Batches of {BATCH}, after ONNX Runtime's own optimizations."),
        })
    }
}

/// Microseconds by operator.
fn shares(profile: &Path) -> Result<HashMap<String, f64>> {
    let failed = |error: String| format!("{}: {error}", profile.display());
    let text = fs::read(profile).map_err(|error| failed(error.to_string()))?;
    let events: Vec<Value> =
        serde_json::from_slice(&text).map_err(|error| failed(error.to_string()))?;
    let mut shares = HashMap::new();
    for event in &events {
        // Other events of a node are about fences.
        let name = event["name"].as_str().unwrap_or_default();
        let operator = event["args"]["op_name"].as_str();
        if let (Some(operator), Some(time)) = (operator, event["dur"].as_f64())
            && name.ends_with("_kernel_time")
        {
            *shares.entry(operator.to_owned()).or_default() += time;
        }
    }
    match shares.is_empty() {
        true => Err(failed("expected times of operators, found none".to_owned())),
        false => Ok(shares),
    }
}

/// Inputs of a batch: random words, all of them attended to.
fn inputs(session: &Session, batch: usize) -> Result<Vec<(String, Tensor<i64>)>> {
    let mut random = StdRng::seed_from_u64(1);
    let names = session.inputs().iter().map(|input| input.name().to_owned());
    names
        .map(|name| {
            let values: Vec<i64> = (0..batch * LENGTH)
                .map(|_| match name.as_str() {
                    "input_ids" => random.random_range(2000..20_000),
                    "attention_mask" => 1,
                    _ => 0,
                })
                .collect();
            let tensor = Tensor::from_array(([batch, LENGTH], values)).map_err(text)?;
            Ok((name, tensor))
        })
        .collect()
}

fn run_batches(session: &mut Session, batch: usize) -> Result {
    for _ in 0..DOCUMENTS.div_ceil(batch) {
        let inputs: Vec<(String, SessionInputValue<'_>)> = inputs(session, batch)?
            .into_iter()
            .map(|(name, tensor)| (name, tensor.into()))
            .collect();
        let outputs = session.run(inputs).map_err(text)?;
        let (_, data) = outputs[0].try_extract_tensor::<f32>().map_err(text)?;
        black_box(data.to_vec());
    }
    Ok(())
}

fn run_bound(session: &mut Session, batch: usize) -> Result {
    let output = session
        .outputs()
        .first()
        .map(|output| output.name().to_owned())
        .ok_or("the graph has no output")?;
    let memory = MemoryInfo::new(
        AllocationDevice::CPU,
        0,
        AllocatorType::Device,
        MemoryType::CPUOutput,
    )
    .map_err(text)?;
    for _ in 0..DOCUMENTS.div_ceil(batch) {
        let mut binding = session.create_binding().map_err(text)?;
        for (name, tensor) in inputs(session, batch)? {
            binding.bind_input(name, &tensor).map_err(text)?;
        }
        binding
            .bind_output_to_device(&output, &memory)
            .map_err(text)?;
        let outputs = session.run_binding(&binding).map_err(text)?;
        let (_, data) = outputs[0].try_extract_tensor::<f32>().map_err(text)?;
        black_box(data);
    }
    Ok(())
}
