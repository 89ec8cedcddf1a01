//! Runs that are killed, and those that resume them.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::files::{parts, texts, write};
use crate::run::Run;

/// More than six chunks of 1024, in three files.
const TEXTS: usize = 7000;

struct Killed<'a> {
    run: Run,
    output: &'a str,
    more: &'a [&'a str],
}

impl Killed<'_> {
    fn journal(&self) -> PathBuf {
        match self.output.strip_suffix('/') {
            Some(folder) => self.run.path(folder).join(".part-run.journal"),
            None => self.run.path(&format!("{}.journal", self.output)),
        }
    }

    /// The complete commits of the journal.
    fn commits(&self) -> Vec<Value> {
        let journal = fs::read_to_string(self.journal()).unwrap_or_default();
        let lines = journal.split_inclusive('\n').skip(1);
        let lines = lines.filter_map(|line| serde_json::from_str(line.strip_suffix('\n')?).ok());
        lines.collect()
    }

    /// Starts a run and kills it after that many more commits. Returns the texts
    /// in all of them.
    fn kill_after(&self, commits: usize) -> u64 {
        let wanted = self.commits().len() + commits;
        let mut command = self.run.command("in", self.output, self.more);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("multivec starts");
        wait_for(&mut child, || self.commits().len() >= wanted);
        child.kill().expect("it can be killed");
        child.wait().expect("it ends");
        let commits = self.commits();
        let texts = &commits.last().expect("a commit")["totals"]["texts"];
        texts.as_u64().expect("a number")
    }
}

fn wait_for(child: &mut Child, is_reached: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_reached() {
        assert!(start.elapsed() < Duration::from_secs(120), "no commit");
        let ended = child.try_wait().expect("its state is known");
        assert!(ended.is_none(), "it ended too early: {ended:?}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn input(run: &Run, ending: &str) {
    fs::create_dir(run.path("in")).expect("a folder");
    for (name, first, count) in [("a", 0, 2500), ("b", 2500, 1500), ("c", 4000, 3000)] {
        write(
            &run.path(&format!("in/{name}.{ending}")),
            &texts(first, count),
        );
    }
}

/// Kills runs at several places, and compares the output with that of one that
/// was not, byte for byte.
fn check(output: &str, ending: &str, more: &[&str]) {
    let killed = Killed {
        run: Run::new(),
        output,
        more,
    };
    let run = &killed.run;
    input(run, ending);
    let mut before = 0;
    for commits in [1, 2, 1] {
        let texts = killed.kill_after(commits);
        assert!(texts > before && texts < TEXTS as u64, "{texts}");
        before = texts;
    }
    // Rows that no commit counts.
    let partial = killed.journal().with_extension("partial");
    let mut bytes = fs::read(&partial).expect("the rows so far");
    bytes.extend_from_slice(b"rows of no commit");
    fs::write(&partial, bytes).expect("it is written");
    let done = run.encoded("in", output, more);
    assert_eq!(done["resumed"], before);
    assert_eq!(done["texts"], TEXTS);

    let expected = format!("expected-{output}");
    let single = run.encoded("in", &expected, more);
    assert_eq!(single["resumed"], 0);
    for key in ["texts", "tokens", "truncated", "nulls"] {
        assert_eq!(done[key], single[key], "{key}");
    }
    let files = |output: &str| match output.strip_suffix('/') {
        Some(folder) => parts(&run.path(folder)),
        None => vec![run.path(output)],
    };
    let (found, expected) = (files(output), files(&expected));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(&expected) {
        let bytes = |path| fs::read(path).expect("it is there");
        assert!(
            bytes(found) == bytes(expected),
            "{} differs",
            found.display()
        );
    }
    assert!(!killed.journal().exists() && !partial.exists());
}

#[test]
fn parquet_is_resumed() {
    check(
        "out.parquet",
        "parquet",
        &["--keep", "lang", "--store", "int8"],
    );
}

#[test]
fn arrow_is_resumed() {
    check("out.arrow", "arrow", &["--keep", "lang"]);
}

#[test]
fn folders_are_resumed() {
    check(
        "out/",
        "csv",
        &["--rows-per-file", "1500", "--store", "f16"],
    );
}

#[test]
fn another_input_starts_over() {
    let killed = Killed {
        run: Run::new(),
        output: "out/",
        more: &["--rows-per-file", "1000"],
    };
    let run = &killed.run;
    input(run, "parquet");
    killed.kill_after(4);
    assert!(run.path("out/part-00000.parquet").exists());
    // A file before the one that is being read.
    write(&run.path("in/a.parquet"), &texts(1, 2500));
    let done = run.encode("in", killed.output, killed.more);
    assert!(done.status.success(), "{done:?}");
    let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(stderr.contains("starting over"), "{stderr}");
    assert_eq!(crate::run::last_json(&done)["resumed"], 0);
}
