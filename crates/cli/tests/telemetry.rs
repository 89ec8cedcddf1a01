//! Nothing leaves the machine: while a model is loaded and runs, no socket is
//! opened, and no files appear but ours.

#![cfg(target_os = "linux")]
#![allow(clippy::expect_used, clippy::panic)]

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use multivec::OnnxRuntime;
use tempfile::TempDir;

/// ONNX Runtime 1.30 contacts its collector within some seconds.
const OBSERVED: Duration = Duration::from_secs(30);

/// More than a chunk, so that some are encoded at once.
const TEXTS: usize = 1100;

/// Folders and the environment of a user outside of CI.
struct User {
    folder: TempDir,
    library: PathBuf,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "cache", "tmp", "work"] {
            fs::create_dir(folder.path().join(name)).expect("a folder can be made");
        }
        let library = OnnxRuntime::load(None).expect("run `npm ci --ignore-scripts` in js/ first");
        Self {
            folder,
            library: library.path().to_owned(),
        }
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A process of this user.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.folder("work"))
            .env_clear()
            .env("HOME", self.folder("home"))
            .env("XDG_CACHE_HOME", self.folder("cache"))
            .env("TMPDIR", self.folder("tmp"))
            .env("ORT_DYLIB_PATH", &self.library)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// Every file in the folders.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("the folder can be read") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    files.push(path);
                }
            }
        }
        files
    }
}

/// `multivec encode` that has encoded texts and waits for more.
fn encode(mut command: Command, output: &str) -> Child {
    let model = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/tiny-bert"
    );
    let mut process = command
        .args(["encode", "--engine", "onnxruntime", "--kind", "document"])
        .args(["--model", model])
        .args(["--input", "-", "--output", output])
        .spawn()
        .expect("the process starts");
    let stdin = process.stdin.as_mut().expect("a pipe");
    let texts = "Bees make honey.\n".repeat(TEXTS);
    stdin.write_all(texts.as_bytes()).expect("the pipe is open");
    process
}

/// Ends the texts; the process then writes its output and succeeds.
fn finish(mut process: Child) {
    drop(process.stdin.take());
    let output = process.wait_with_output().expect("the process ends");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
}

fn sockets(process: u32) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{process}/fd")).expect("the process runs");
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .collect()
}

/// Whether processes can be traced here; `None` with a reason on standard
/// error otherwise.
fn strace(user: &User, log: &Path) -> Option<Command> {
    let works = Command::new("strace")
        .args(["-qq", "-e", "trace=none", "true"])
        .status();
    match works {
        Ok(status) if status.success() => {
            let mut command = user.command("strace");
            command
                .args(["-f", "-qq", "-e", "trace=%network", "-o"])
                .arg(log)
                .arg(env!("CARGO_BIN_EXE_multivec"));
            Some(command)
        }
        found => {
            eprintln!("system calls are not traced, strace does not run: {found:?}");
            None
        }
    }
}

#[test]
fn no_socket_is_opened_and_no_file_of_a_library_is_written() {
    let user = User::new();
    let log = user.folder("strace.log");
    let traced = strace(&user, &log).map(|command| encode(command, "traced.jsonl"));
    let process = encode(user.command(env!("CARGO_BIN_EXE_multivec")), "output.jsonl");
    let start = Instant::now();
    while start.elapsed() < OBSERVED {
        let open = sockets(process.id());
        assert!(open.is_empty(), "{open:?} after {:?}", start.elapsed());
        thread::sleep(Duration::from_millis(20));
    }
    let maps = fs::read_to_string(format!("/proc/{}/maps", process.id())).expect("it still runs");
    assert!(maps.contains("onnxruntime"), "the library is not in use");
    let id = process.id();
    finish(process);
    if let Some(traced) = traced {
        finish(traced);
        let calls = fs::read_to_string(&log).expect("strace writes its log");
        assert!(calls.is_empty(), "{calls}");
        fs::remove_file(&log).expect("the log can be removed");
    }

    let own = user.folder("cache").join("multivec");
    let work = user.folder("work");
    let outputs = ["output.jsonl", "traced.jsonl"].map(|name| work.join(name));
    for file in user.files() {
        let is_ours = file.starts_with(&own) || outputs.contains(&file);
        assert!(is_ours, "{}", file.display());
    }
    // Where the library does not heed TMPDIR.
    let logs = fs::read_dir("/tmp").expect("the folder can be read");
    for entry in logs {
        let name = entry.expect("an entry").file_name();
        let name = name.to_string_lossy();
        let is_log = name.starts_with("mat-debug-") && name.contains(&id.to_string());
        assert!(!is_log, "/tmp/{name}");
    }
}
