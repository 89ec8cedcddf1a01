//! The process that loads a library and tells what came of it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use multivec::OnnxRuntime;
use serde_json::{Value, json};
use tempfile::TempDir;

const OPTIONS: &str = "MULTIVEC_TEST_OPTIONS";
const MARK: &str = "outcome: ";

/// Loads once for each option listed, an empty one for none.
#[test]
#[ignore = "the other tests start it, in a process of its own"]
fn child() {
    let options = env::var(OPTIONS).unwrap_or_default();
    let outcomes: Vec<Value> = options.split('\n').map(load).collect();
    assert!(!outcomes.is_empty());
    println!("\n{MARK}{}", Value::from(outcomes));
}

fn load(option: &str) -> Value {
    let option = Some(Path::new(option)).filter(|path| !path.as_os_str().is_empty());
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

/// A case: where the process runs, and what it is told.
pub struct Case {
    /// An empty folder; the process runs there, and its executable is there.
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

    /// Loads once for each option, all in one process.
    pub fn load_each(&self, options: &[&Path]) -> Vec<Value> {
        let folder = self.folder.path();
        let program = folder.join("tests");
        let options: Vec<String> = options
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        let mut command = Command::new(&program);
        command
            .args(["--ignored", "--exact", "child::child", "--nocapture"])
            .current_dir(folder)
            .env_clear()
            .env(OPTIONS, options.join("\n"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = start(&mut command, || {
            let own = env::current_exe().expect("the test's executable");
            // Not a link, which would resolve to a folder within the repository.
            fs::copy(own, &program).expect("the executable can be copied");
        });
        let start = Instant::now();
        while process
            .try_wait()
            .expect("the process can be asked")
            .is_none()
        {
            if start.elapsed() > Duration::from_secs(60) {
                process.kill().expect("the process can be ended");
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

/// Starts a process after a preparation, one at a time: a process that starts
/// meanwhile would hold the file that is being written, and no file can be run
/// while it is open for writing.
pub fn start(command: &mut Command, prepare: impl FnOnce()) -> Child {
    static STARTING: Mutex<()> = Mutex::new(());
    let _guard = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    prepare();
    command.spawn().expect("the process starts")
}

/// The library that the other tests use as well.
pub fn library() -> PathBuf {
    let found = OnnxRuntime::load(None).expect("run `npm ci --ignore-scripts` in js/ first");
    found.path().to_owned()
}
