//! What was measured, as it is kept between runs: one JSON file a section.

use std::fs;
use std::path::PathBuf;

use multivec_peers_protocol::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::models::root;
use crate::statistics::Summary;

/// Multi-vector encoders side by side.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Comparison {
    pub models: Vec<Compared>,
    /// Models that were not there, and why.
    pub missing: Vec<String>,
}

/// One model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Compared {
    pub model: String,
    pub machine: Machine,
    /// What the rows of the encoders were held against.
    pub reference: String,
    pub encoders: Vec<Measured>,
    /// Encoders that were not measured, and why.
    pub skipped: Vec<String>,
}

/// One encoder on one model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Measured {
    pub encoder: String,
    /// Cosines of rows to the reference.
    pub cosine_mean: f64,
    pub cosine_least: f64,
    /// Documents a second, by case.
    pub throughput: Vec<(String, Summary)>,
    /// Milliseconds of a query alone.
    pub query: Option<Latency>,
    /// Milliseconds from the start of the process to the first embedding.
    pub first: Option<Summary>,
}

/// Milliseconds.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Latency {
    pub p50: f64,
    pub p99: f64,
    pub count: usize,
}

/// The tables of settings.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Settings {
    pub models: Vec<Tables>,
    pub missing: Vec<String>,
}

/// Those of one model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Tables {
    pub model: String,
    pub machine: Machine,
    pub tables: Vec<Table>,
}

/// One table: a row a setting.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    pub title: String,
    /// Heads of the columns.
    pub columns: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// What to know about it.
    pub note: String,
}

/// Where and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub date: String,
    pub cpu: String,
    pub cores: usize,
    pub system: String,
    pub onnxruntime: String,
    /// The part of all cores that other processes took just before, 0 to 1;
    /// `None` where that cannot be told.
    pub others: Option<f64>,
    /// Whether fewer rounds were run than tables to be quoted need.
    pub quick: bool,
}

fn path(name: &str) -> PathBuf {
    root().join("target/bench").join(format!("{name}.json"))
}

pub fn write<T: Serialize>(name: &str, value: &T) -> Result {
    let path = path(name);
    let text = serde_json::to_string_pretty(value).map_err(|error| error.to_string())?;
    fs::create_dir_all(root().join("target/bench"))
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}

pub fn read<T: DeserializeOwned>(name: &str) -> Result<T> {
    let path = path(name);
    let text = fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// The same, nothing where nothing was measured yet.
pub fn read_or_default<T: DeserializeOwned + Default>(name: &str) -> Result<T> {
    match path(name).exists() {
        true => read(name),
        false => Ok(T::default()),
    }
}

/// What belongs to a model, in a file with more of them.
pub trait OfModel {
    fn model(&self) -> &str;
}

impl OfModel for Compared {
    fn model(&self) -> &str {
        &self.model
    }
}

impl OfModel for Tables {
    fn model(&self) -> &str {
        &self.model
    }
}

/// Puts what was found of a model in the place of what is known of it.
pub fn replace<T: OfModel>(known: &mut Vec<T>, found: T) {
    match known.iter().position(|one| one.model() == found.model()) {
        Some(at) => known[at] = found,
        None => known.push(found),
    }
}

/// Engines in the browser, as `js/bench` writes it.
#[derive(Debug, Deserialize)]
pub struct Browser {
    pub machine: BrowserMachine,
    pub models: Vec<BrowserModel>,
    pub missing: Vec<String>,
}

/// Where and when.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BrowserMachine {
    pub date: String,
    pub cpu: String,
    pub cores: usize,
    pub browser: String,
    pub onnxruntime_web: String,
    pub transformers: String,
    /// The part of all cores that other processes took just before, 0 to 1.
    pub others: Option<f64>,
    pub quick: bool,
}

/// One model.
#[derive(Debug, Deserialize)]
pub struct BrowserModel {
    pub name: String,
    /// Of the model file.
    pub bytes: f64,
    /// What the rows of the engines were held against.
    pub reference: String,
    pub engines: Vec<Engine>,
    pub skipped: Vec<String>,
}

/// One engine on one model; milliseconds and bytes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Engine {
    pub engine: String,
    pub build: Option<String>,
    pub threads: usize,
    pub cosine_mean: f64,
    pub memory: f64,
    pub cold: Option<Summary>,
    pub cases: Vec<BrowserCase>,
}

impl Engine {
    /// Name, build and threads, for tables.
    pub fn title(&self) -> String {
        let build = self
            .build
            .as_ref()
            .map_or_else(String::new, |build| format!(" {build}"));
        let threads = match self.threads {
            1 => "1 thread".to_owned(),
            threads => format!("{threads} threads"),
        };
        format!("{}{build}, {threads}", self.engine)
    }
}

/// Texts of one length, in one call.
#[derive(Clone, Debug, Deserialize)]
pub struct BrowserCase {
    pub tokens: usize,
    pub texts: usize,
    /// The very first run.
    pub first: f64,
    pub times: Summary,
    /// Of tokenizing alone, where an engine begins with texts.
    pub tokenize: Option<f64>,
}
