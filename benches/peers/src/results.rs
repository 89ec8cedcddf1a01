//! What was measured, as it is kept between runs: one JSON file a section.

use std::fs;
use std::path::PathBuf;

use multivec_peers_protocol::Result;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::machine::{self, Rounds};
use crate::models::{self, Model, root};
use crate::statistics::Summary;

/// What a command measured.
#[derive(Debug, Serialize, Deserialize)]
pub struct Found<T> {
    pub models: Vec<OfModel<T>>,
    /// Models that were not there, and why.
    pub missing: Vec<String>,
}

/// One model.
#[derive(Debug, Serialize, Deserialize)]
pub struct OfModel<T> {
    pub model: String,
    pub machine: Machine,
    pub found: T,
}

/// Multi-vector encoders side by side.
pub type Comparison = Found<Compared>;

/// The tables of settings.
pub type Settings = Found<Vec<Table>>;

/// Encoders on one model.
#[derive(Debug, Serialize, Deserialize)]
pub struct Compared {
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

fn write<T: Serialize>(name: &str, value: &T) -> Result {
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

/// Measures each model, with `only` the one with that title, and writes what was
/// found of it at once, in the place of what was known before.
pub fn of_each_model<T: Serialize + DeserializeOwned>(
    section: &str,
    (rounds, only): (Rounds, Option<&str>),
    measure: impl Fn(&Model) -> Result<T>,
) -> Result {
    let (models, missing) = models::all(only)?;
    let known = match path(section).exists() {
        true => read::<Found<T>>(section)?.models,
        false => Vec::new(),
    };
    let mut all = Found {
        models: known,
        missing,
    };
    for model in &models {
        println!("{}", model.title());
        let one = OfModel {
            model: model.title(),
            machine: machine::describe(rounds)?,
            found: measure(model)?,
        };
        let place = all.models.iter_mut().find(|known| known.model == one.model);
        match place {
            Some(known) => *known = one,
            None => all.models.push(one),
        }
        write(section, &all)?;
    }
    Ok(())
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
