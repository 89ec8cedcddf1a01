//! Processes that load a library and report the outcome.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use multivec::{EncoderBuilder, OnnxRuntime, Precision};
use serde_json::{Value, json};
use tempfile::TempDir;

const OPTIONS: &str = "MULTIVEC_TEST_OPTIONS";
const MARK: &str = "outcome: ";

/// The number of threads that `model` asks for.
pub const THREADS: &str = "MULTIVEC_TEST_THREADS";

/// Loads a library once for each option listed; an empty one stands for none.
#[test]
#[ignore = "other tests start it in a process of its own"]
fn child() {
    report(load);
}

/// Loads a model once for each option listed.
#[test]
#[ignore = "other tests start it in a process of its own"]
fn model() {
    report(load_model);
}

fn report(load: fn(Option<&Path>) -> Value) {
    let options = env::var(OPTIONS).unwrap_or_default();
    let options = options.split('\n').map(Path::new);
    let outcomes: Vec<Value> = options
        .map(|path| load(Some(path).filter(|path| !path.as_os_str().is_empty())))
        .collect();
    assert!(!outcomes.is_empty());
    println!("\n{MARK}{}", Value::from(outcomes));
}

fn load_model(library: Option<&Path>) -> Value {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/tiny-bert");
    let mut builder = EncoderBuilder::from_dir(root)
        .with_precision(Precision::Fp32)
        .with_cache_dir("cache");
    if let Some(library) = library {
        builder = builder.with_library(library);
    }
    if let Ok(threads) = env::var(THREADS) {
        builder = builder.with_threads(threads.parse().expect("a number"));
    }
    let start = Instant::now();
    let loaded = builder.build();
    let seconds = start.elapsed().as_secs_f64();
    let telemetry = env::var("ORT_DISABLE_TELEMETRY").ok();
    match loaded {
        Ok(encoder) => json!({
            "engine": encoder.info().engine,
            "telemetry": telemetry,
            "seconds": seconds,
        }),
        Err(error) => json!({
            "code": error.code(),
            "message": error.to_string(),
            "telemetry": telemetry,
            "seconds": seconds,
        }),
    }
}

fn load(option: Option<&Path>) -> Value {
    let start = Instant::now();
    let loaded = OnnxRuntime::load(option);
    let seconds = start.elapsed().as_secs_f64();
    match loaded {
        Ok(runtime) => json!({
            "path": runtime.path(),
            "version": runtime.version(),
            "providers": runtime.providers().expect("the library lists them"),
            "seconds": seconds,
        }),
        Err(error) => json!({
            "code": error.code(),
            "message": error.to_string(),
            "seconds": seconds,
        }),
    }
}

/// The folder and the environment of a process.
pub struct Case {
    /// An empty folder, in which the process runs. Its executable is there.
    pub folder: TempDir,
    variables: Vec<(&'static str, PathBuf)>,
}

impl Case {
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a temporary folder"),
            variables: Vec::new(),
        }
    }

    pub fn variable(mut self, name: &'static str, value: impl Into<PathBuf>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    /// Loads without an option.
    pub fn load(&self) -> Value {
        self.load_each(&[Path::new("")]).remove(0)
    }

    /// Loads from a file.
    pub fn load_option(&self, library: &Path) -> Value {
        self.load_each(&[library]).remove(0)
    }

    /// Loads a model without an option.
    pub fn load_model(&self) -> Value {
        self.run("child::model", &[Path::new("")]).remove(0)
    }

    /// Loads a model with a library.
    pub fn load_model_option(&self, library: &Path) -> Value {
        self.run("child::model", &[library]).remove(0)
    }

    /// Loads once for each option, all in one process.
    pub fn load_each(&self, options: &[&Path]) -> Vec<Value> {
        self.run("child::child", options)
    }

    /// Runs a test of this file in a process of its own.
    fn run(&self, test: &str, options: &[&Path]) -> Vec<Value> {
        let folder = self.folder.path();
        let program = folder.join("tests");
        let options: Vec<String> = options
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut command = Command::new(&program);
        command
            .args(["--ignored", "--exact", test, "--nocapture"])
            .current_dir(folder)
            .env_clear()
            .env(OPTIONS, options.join("\n"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = start(&mut command, || {
            let own = env::current_exe().expect("the test's executable");
            // A link would resolve to a folder within the repository.
            fs::copy(own, &program).expect("the executable can be copied");
        });
        let start = Instant::now();
        while process
            .try_wait()
            .expect("the process can be polled")
            .is_none()
        {
            if start.elapsed() > Duration::from_secs(60) {
                process.kill().expect("the process can be killed");
                panic!("the process hangs");
            }
            thread::sleep(Duration::from_millis(10));
        }
        let output = process.wait_with_output().expect("its output");
        let stdout = String::from_utf8_lossy(&output.stdout);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{}: {stdout}{stderr}",
            output.status
        );
        let outcomes = stdout.lines().find_map(|line| line.strip_prefix(MARK));
        let outcomes = outcomes.unwrap_or_else(|| panic!("no outcome in {stdout}{stderr}"));
        serde_json::from_str(outcomes).expect("the outcome is JSON")
    }
}

/// Starts a process after a preparation, one process at a time. An executable
/// cannot run while it is open for writing, and a process that starts in the
/// meantime would inherit the open file.
pub fn start(command: &mut Command, prepare: impl FnOnce()) -> Child {
    static STARTING: Mutex<()> = Mutex::new(());
    let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    prepare();
    command.spawn().expect("the process starts")
}

/// The library that other tests use.
pub fn library() -> PathBuf {
    let found = OnnxRuntime::load(None).expect("run `npm ci --ignore-scripts` in js/ first");
    found.path().to_owned()
}
