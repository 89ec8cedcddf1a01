//! Memory of `multivec encode`.

#![allow(clippy::expect_used, clippy::panic)]
#![cfg(target_os = "linux")]

mod loading;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use multivec_testing::process;

const MEGABYTE: usize = 1 << 20;

/// Peak memory of a run of `multivec encode` with the demo model, in megabytes.
fn peak(texts: &str, more: &[&str]) -> usize {
    let all = memory(texts, more).into_iter();
    all.max().unwrap_or(0) / MEGABYTE
}

/// Peak memory in bytes, with this cache directory.
fn peak_with(texts: &str, more: &[&str], cache: &Path) -> usize {
    let watch = Watch {
        cache: Some(cache),
        measure: process::largest,
    };
    watch.run(texts, more).into_iter().max().unwrap_or(0)
}

/// The typical memory of the last fifth of a run, in megabytes.
fn last(texts: &str, more: &[&str]) -> usize {
    let all = memory(texts, more);
    let mut end = all[all.len() * 4 / 5..].to_vec();
    end.sort_unstable();
    end[end.len() / 2] / MEGABYTE
}

/// Memory in bytes, every few milliseconds.
fn memory(texts: &str, more: &[&str]) -> Vec<usize> {
    let watch = Watch {
        cache: None,
        measure: process::resident,
    };
    watch.run(texts, more)
}

/// How the memory of a run is measured.
struct Watch<'a> {
    /// The cache directory; the user's own without it.
    cache: Option<&'a Path>,
    /// Bytes of a process.
    measure: fn(u32) -> usize,
}

impl Watch<'_> {
    /// Measures while the run lasts.
    fn run(&self, texts: &str, more: &[&str]) -> Vec<usize> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let input = folder.path().join("in.txt");
        fs::write(&input, texts).expect("the input is written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_multivec"));
        if let Some(cache) = self.cache {
            command.env("XDG_CACHE_HOME", cache);
        }
        let mut child = command
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .args(["encode", "--kind", "document", "--input"])
            .arg(&input)
            .arg("--output")
            .arg(folder.path().join("out.safetensors"))
            .args(more)
            .stdout(Stdio::null())
            .spawn()
            .expect("multivec starts");
        let mut seen = Vec::new();
        loop {
            if let Some(status) = child.try_wait().expect("its state is known") {
                assert!(status.success(), "{more:?}: {status}");
                return seen;
            }
            seen.push((self.measure)(child.id()));
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// Texts of many lengths; the longest are truncated.
fn mixed(count: usize) -> String {
    let text = |at: usize| "a word and another ".repeat((at * at * 7) % 60) + "\n";
    (0..count).map(text).collect()
}

/// Batches of very different shapes, then texts that would fit in one large
/// batch.
#[test]
fn the_token_budget_bounds_memory() {
    let texts = mixed(30) + &("a word and another ".repeat(60) + "\n").repeat(120);
    let large = peak(&texts, &["--token-budget", "40000"]);
    let small = peak(&texts, &["--token-budget", "512"]);
    println!("{small} MB with 512 tokens, {large} MB with 40000");
    assert!(small + 100 < large, "{small} MB, {large} MB");
    assert!(small < 300, "{small} MB");
}

/// The memory of a large batch is freed before the small ones after it.
#[test]
fn arenas_shrink_or_are_off() {
    let long = ("a word and another ".repeat(60) + "\n").repeat(120);
    let short = "a word\n".repeat(6000);
    let texts = long + &short;
    let at_the_end = |arena| {
        let more = ["--token-budget", "40000", "--arena", arena];
        last(&texts, &more)
    };
    let [keep, shrink, off] = ["keep", "shrink", "off"].map(at_the_end);
    println!("{keep} MB kept, {shrink} MB shrunk, {off} MB without an arena");
    assert!(shrink + 50 < keep && off + 50 < keep);
}

/// Eight sessions hold the weights once.
#[test]
fn sessions_share_their_weights() {
    let texts = "a word and another\n".repeat(3000);
    let with = |sessions| {
        let more = [
            "--threads",
            "1",
            "--batch-size",
            "1",
            "--sessions",
            sessions,
        ];
        last(&texts, &more)
    };
    let (one, eight) = (with("1"), with("8"));
    println!("{one} MB with one session, {eight} MB with eight");
    // The demo model has 23 MB; each session has an arena of its own.
    assert!(eight < one + 7 * 16, "{one} MB, {eight} MB");
}

/// Memory does not grow with the number of texts.
#[test]
fn a_corpus_streams() {
    let few = peak(&mixed(300), &["--model", "tests/fixtures/tiny-bert"]);
    let many = peak(&mixed(9000), &["--model", "tests/fixtures/tiny-bert"]);
    println!("{few} MB for 300 texts, {many} MB for 9000");
    assert!(many < few + 60, "{few} MB, {many} MB");
}

/// A line of ten megabytes is truncated like any long text, and takes little
/// more memory than a short one, though tokenizers take 130 times the bytes of
/// a text.
#[test]
fn a_text_of_ten_megabytes() {
    let long = "a word and another ".repeat(10 * MEGABYTE / 19);
    let [short, long] =
        [&long[..1000], &long].map(|text| peak(text, &["--model", "tests/fixtures/tiny-bert"]));
    println!("{short} MB for a kilobyte, {long} MB for ten megabytes");
    assert!(long < short + 60, "{short} MB, {long} MB");
}
