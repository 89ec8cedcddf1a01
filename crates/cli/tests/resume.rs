//! Interrupted runs of `multivec encode`, and those that resume them.

#![allow(clippy::expect_used, clippy::panic)]

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use safetensors::SafeTensors;
use serde_json::Value;

/// More than three chunks of 1024.
const TEXTS: usize = 3500;

struct Run {
    folder: tempfile::TempDir,
    output: PathBuf,
    /// Flags of each command.
    flags: &'static [&'static str],
}

impl Run {
    fn new(output: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = Self {
            output: folder.path().join(output),
            folder,
            flags: &[],
        };
        run.write_input(|_, _| ());
        run
    }

    fn input(&self) -> PathBuf {
        self.folder.path().join("in.jsonl")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        PathBuf::from(format!("{}.{ending}", self.output.display()))
    }

    fn write_input(&self, edit: impl Fn(usize, &mut String)) {
        let lines = (0..TEXTS).map(|at| {
            let text = format!("text {at} {}", "and more ".repeat(at % 5));
            let mut line =
                serde_json::json!({ "text": text, "id": format!("\"{at}\" é") }).to_string();
            edit(at, &mut line);
            line + "\n"
        });
        fs::write(self.input(), lines.collect::<String>()).expect("the input is written");
    }

    fn command(&self, output: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_multivec"));
        command
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .args(["encode", "--json", "--model", "tests/fixtures/tiny-bert"])
            .args(["--precision", "fp32", "--kind", "document", "--input"])
            .arg(self.input())
            .arg("--output")
            .arg(output)
            .args(self.flags);
        command
    }

    fn finish(&self, more: &[&str]) -> Output {
        let mut command = self.command(&self.output);
        command.args(more).output().expect("multivec ends")
    }

    /// Starts a run and kills it after that many commits. Returns the texts in
    /// them.
    fn kill_after(&self, commits: usize) -> usize {
        let mut command = self.command(&self.output);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("multivec starts");
        wait_for(&mut child, || self.commits().len() >= commits);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        assert!(!self.output.exists(), "it finished too early");
        let texts = self.commits().last().expect("a commit")["totals"]["texts"].as_u64();
        texts.expect("a number") as usize
    }

    /// The complete commits of the journal.
    fn commits(&self) -> Vec<Value> {
        let journal = fs::read_to_string(self.beside("journal")).unwrap_or_default();
        let lines = journal.split_inclusive('\n').skip(1);
        lines
            .filter_map(|line| serde_json::from_str(line.strip_suffix('\n')?).ok())
            .collect()
    }

    /// Asserts that the output equals that of a single run, and that no other
    /// file is left.
    #[track_caller]
    fn assert_complete(&self) {
        let extension = self.output.extension().expect("an ending");
        let expected = self
            .folder
            .path()
            .join("expected")
            .with_extension(extension);
        let done = self.command(&expected).output().expect("multivec ends");
        assert!(done.status.success(), "{done:?}");
        let (found, expected) = (texts_of(&self.output), texts_of(&expected));
        assert_eq!(found.len(), TEXTS);
        assert!(
            found == expected,
            "vectors differ from those of a single run"
        );
        assert!(!self.beside("journal").exists() && !self.beside("partial").exists());
    }
}

fn wait_for(child: &mut Child, is_reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_reached() {
        assert!(start.elapsed() < Duration::from_secs(120), "no commit");
        let ended = child.try_wait().expect("its state is known");
        assert!(ended.is_none(), "it ended too early: {ended:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The id and the vectors of each text.
fn texts_of(file: &Path) -> Vec<(String, Vec<u8>)> {
    let bytes = fs::read(file).expect("the output is there");
    if file.extension().is_some_and(|ending| ending == "jsonl") {
        let text = String::from_utf8(bytes).expect("UTF-8");
        let line = |(at, line): (usize, &str)| {
            let line: Value = serde_json::from_str(line).expect("JSON");
            assert_eq!(line["index"], at);
            let rows = line["embedding"].to_string().into_bytes();
            (line["id"].as_str().expect("an id").to_owned(), rows)
        };
        return text.lines().enumerate().map(line).collect();
    }
    let tensors = SafeTensors::deserialize(&bytes).expect("safetensors");
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a header");
    let metadata = header.metadata().as_ref().expect("metadata");
    let ids: Vec<String> = serde_json::from_str(&metadata["ids"]).expect("a list of ids");
    let tensor = |id: String| {
        let tensor = tensors.tensor(&id).expect("a tensor per text");
        (id.clone(), tensor.data().to_vec())
    };
    ids.into_iter().map(tensor).collect()
}

fn statistics(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(stdout.lines().last().expect("a line")).expect("JSON")
}

fn says(output: &Output, part: &str) -> bool {
    String::from_utf8_lossy(&output.stderr).contains(part)
}

#[test]
fn a_killed_run_is_resumed() {
    for name in ["out.safetensors", "out.jsonl"] {
        let run = Run::new(name);
        let first = run.kill_after(1);
        let second = run.kill_after(run.commits().len() + 1);
        assert!(first < second && second < TEXTS, "{first} {second}");
        let done = run.finish(&[]);
        assert!(says(&done, &format!("resuming after {second} texts")));
        let statistics = statistics(&done);
        assert_eq!(statistics["resumed"], second);
        assert_eq!(statistics["texts"], TEXTS);
        run.assert_complete();
    }
}

#[test]
fn incomplete_commits_are_ignored() {
    let run = Run::new("out.safetensors");
    run.kill_after(2);
    let commits = run.commits();
    // A truncated commit, and rows that no commit refers to.
    let append = |ending, bytes: &[u8]| {
        let file = OpenOptions::new().append(true).open(run.beside(ending));
        let mut file = file.expect("the file is there");
        file.write_all(bytes).expect("it can be written");
    };
    append("journal", b"{\"totals\":{\"texts\":3");
    append("partial", b"rows of no commit");
    // The last commit has lost rows: the run resumes from the one before.
    let length = |at: usize| commits[at]["totals"]["length"].as_u64().expect("a number");
    let partial = OpenOptions::new().write(true).open(run.beside("partial"));
    let partial = partial.expect("the file is there");
    partial
        .set_len(length(commits.len() - 1) - 1)
        .expect("it can be cut");
    let kept = &commits[commits.len() - 2]["totals"]["texts"];
    assert_eq!(&statistics(&run.finish(&[]))["resumed"], kept);
    run.assert_complete();
}

#[test]
fn another_input_or_other_options_start_over() {
    let run = Run::new("out.jsonl");
    run.kill_after(1);
    run.write_input(|at, line| {
        if at == 17 {
            *line = line.replace("text 17", "text 18");
        }
    });
    let done = run.finish(&[]);
    assert!(says(&done, "starting over"));
    assert_eq!(statistics(&done)["resumed"], 0);
    run.assert_complete();

    fs::remove_file(&run.output).expect("it is there");
    run.kill_after(1);
    let done = run.finish(&["--pool-factor", "2"]);
    assert!(says(&done, "starting over"));
    assert_eq!(statistics(&done)["resumed"], 0);
}

/// The input may change behind the texts that are committed.
#[test]
fn a_run_resumes_after_a_bad_line_is_corrected() {
    let run = Run::new("out.safetensors");
    run.write_input(|at, line| {
        if at == 2500 {
            *line = "{".to_owned();
        }
    });
    let failed = run.finish(&[]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(says(&failed, "in.jsonl:2501"), "{failed:?}");
    assert!(says(&failed, "2048 texts are kept"), "{failed:?}");
    run.write_input(|_, _| ());
    assert_eq!(statistics(&run.finish(&[]))["resumed"], 2048);
    run.assert_complete();
}

/// Bad lines before and after the commits that a killed run has made.
#[test]
fn a_resumed_run_skips_the_same_lines() {
    for name in ["out.safetensors", "out.jsonl"] {
        let mut run = Run::new(name);
        run.flags = &["--on-error", "skip"];
        run.write_input(|at, line| {
            if at % 500 == 7 {
                *line = "{".to_owned();
            } else if at % 500 == 8 {
                line.insert(0, '\n');
            }
        });
        let resumed = run.kill_after(1);
        let done = statistics(&run.finish(&[]));
        assert_eq!(done["resumed"], resumed);
        let expected = run.folder.path().join(format!("expected-{name}"));
        let single = run.command(&expected).output().expect("multivec ends");
        let single = statistics(&single);
        for key in ["texts", "tokens", "truncated", "skipped", "skipped_texts"] {
            assert_eq!(done[key], single[key], "{key}");
        }
        assert_eq!(done["skipped"], 7);
        assert_eq!(done["texts"], TEXTS - 7);
        let bytes = |file: &Path| fs::read(file).expect("the output is there");
        assert!(bytes(&run.output) == bytes(&expected), "the files differ");
    }
}

/// A run that must not skip lines does not go on after those that were.
#[test]
fn a_run_that_skipped_lines_goes_on_skipping_or_starts_over() {
    let mut run = Run::new("out.jsonl");
    run.write_input(|at, line| {
        if at == 1500 {
            *line = "{".to_owned();
        }
    });
    let failed = run.finish(&[]);
    assert!(says(&failed, "in.jsonl:1501"), "{failed:?}");
    assert!(says(&failed, "1024 texts are kept"), "{failed:?}");
    run.flags = &["--on-error", "skip"];
    let skipping = run.kill_after(run.commits().len() + 1);
    assert!(skipping >= 2047, "{skipping}");
    run.flags = &[];
    let failed = run.finish(&[]);
    assert!(says(&failed, "starting over"), "{failed:?}");
    assert!(says(&failed, "in.jsonl:1501"), "{failed:?}");
}

#[test]
fn an_output_has_one_writer() {
    let run = Run::new("out.jsonl");
    let journal = File::create(run.beside("journal")).expect("a file");
    journal.try_lock().expect("it is not locked");
    let failed = run.finish(&[]);
    assert_eq!(failed.status.code(), Some(1));
    assert!(says(&failed, "another process is writing it"), "{failed:?}");
}
