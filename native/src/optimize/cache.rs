//! A cache of verdicts, fused graphs and their speeds, with a folder for each
//! graph.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use multivec_core::FormTimes;
use multivec_graph::Fused;

const VERDICT: &str = "verdict.txt";
const GRAPH: &str = "model.onnx";
const TIMES: &str = "times.txt";
/// The most lines of a file of times that are read.
const MOST_TIMES: usize = 16;

/// The result of fusing a graph and comparing it with the original.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// Nothing can be fused.
    Original,
    /// The vectors of the fused graph differ too much.
    Refused { distance: f32 },
    /// The fused graph gives the same vectors.
    Fused(FusedGraph),
}

/// A fused graph without the weights of the original.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct FusedGraph {
    pub(super) fused: Fused,
    pub(super) graph: Vec<u8>,
}

pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The entry of a key. `None` on systems without a cache directory.
    pub(super) fn open(root: Option<&Path>, key: &str) -> Option<Self> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => dirs::cache_dir()?.join("multivec"),
        };
        Some(Self {
            folder: root.join("graphs").join(key),
        })
    }

    /// The verdict, if there is a valid one.
    pub(super) fn read(&self) -> Option<Verdict> {
        let text = fs::read_to_string(self.folder.join(VERDICT)).ok()?;
        let mut words = text.split_whitespace();
        Some(match words.next()? {
            "original" => Verdict::Original,
            "refused" => Verdict::Refused {
                distance: words.next()?.parse().ok()?,
            },
            "fused" => {
                let mut number = || words.next()?.parse::<usize>().ok();
                // A truncated graph has another size.
                let size = number()?;
                let counts: Option<Vec<usize>> = (0..Fused::COUNT).map(|_| number()).collect();
                let fused = Fused::from_counts(counts?.try_into().ok()?);
                let graph = fs::read(self.folder.join(GRAPH)).ok()?;
                (graph.len() == size).then_some(Verdict::Fused(FusedGraph { fused, graph }))?
            }
            _ => return None,
        })
    }

    /// Writes the graph before the verdict, so that a verdict always has one.
    pub(super) fn write(&self, verdict: &Verdict) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        if let Verdict::Fused(FusedGraph { graph, .. }) = verdict {
            self.write_file(GRAPH, graph)?;
        }
        let text = match verdict {
            Verdict::Original => "original".to_owned(),
            Verdict::Refused { distance } => format!("refused {distance}"),
            Verdict::Fused(FusedGraph { fused, graph }) => {
                let counts = fused.counts().map(|count| count.to_string());
                format!("fused {} {}", graph.len(), counts.join(" "))
            }
        };
        self.write_file(VERDICT, text.as_bytes())
    }

    /// The times of both forms. What was measured once stays, so that the same
    /// form runs each time.
    pub(super) fn read_times(&self) -> Option<Vec<FormTimes>> {
        let text = fs::read_to_string(self.folder.join(TIMES)).ok()?;
        let lines = text.lines().take(MOST_TIMES);
        let times: Option<Vec<FormTimes>> = lines.map(parse_times).collect();
        times.filter(|times| !times.is_empty())
    }

    pub(super) fn write_times(&self, times: &[FormTimes]) -> io::Result<()> {
        let lines = times.iter().map(|one| {
            let [original, fused] = [one.original, one.fused].map(|time| time.as_nanos());
            format!("{} {} {original} {fused}\n", one.rows, one.length)
        });
        let text: String = lines.collect();
        self.write_file(TIMES, text.as_bytes())
    }

    /// Writes a temporary file and renames it, so that other processes never
    /// see a part of it.
    fn write_file(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let aside = self.folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&aside, content)?;
        fs::rename(&aside, self.folder.join(name)).inspect_err(|_| {
            drop(fs::remove_file(&aside));
        })
    }
}

/// Texts, tokens, and nanoseconds of both forms.
fn parse_times(line: &str) -> Option<FormTimes> {
    let mut words = line.split_whitespace();
    let shape = [words.next()?.parse().ok()?, words.next()?.parse().ok()?];
    let mut time = || Some(Duration::from_nanos(words.next()?.parse().ok()?));
    Some(FormTimes::new(shape, time()?, time()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    fn entry(root: &Path) -> Cache {
        Cache::open(Some(root), "key").expect("a folder was given")
    }

    #[test]
    fn verdicts_survive_writing_and_reading() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = entry(root.path());
        assert_eq!(cache.read(), None);
        cache.write(&Verdict::Original).expect("it can be written");
        assert_eq!(cache.read(), Some(Verdict::Original));
        let distance = 0.25;
        cache
            .write(&Verdict::Refused { distance })
            .expect("it can be written");
        assert_eq!(cache.read(), Some(Verdict::Refused { distance }));
        let mut fused = Fused::default();
        fused.attentions = 2;
        fused.gelus = 3;
        fused.nodes_after = 4;
        let graph = root.path().join("graphs/key/model.onnx");
        let written = Verdict::Fused(FusedGraph {
            fused,
            graph: b"graph".to_vec(),
        });
        cache.write(&written).expect("it can be written");
        assert_eq!(fs::read(&graph).expect("it is there"), b"graph");
        assert_eq!(cache.read(), Some(written));
    }

    #[test]
    fn times_survive_writing_and_reading() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = entry(root.path());
        cache.write(&Verdict::Original).expect("it can be written");
        let [original, fused] = [2_000_001, 1_500_000].map(Duration::from_nanos);
        let times = [[1, 8], [8, 24]].map(|shape| FormTimes::new(shape, original, fused));
        cache.write_times(&times).expect("written");
        assert_eq!(cache.read_times(), Some(times.to_vec()));
        for damaged in ["", "1 8 200", "1 8 200 -5", "one 8 200 100"] {
            fs::write(root.path().join("graphs/key/times.txt"), damaged).expect("written");
            assert_eq!(cache.read_times(), None, "{damaged}");
        }
    }

    #[test]
    fn a_truncated_graph_is_ignored() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = entry(root.path());
        let verdict = Verdict::Fused(FusedGraph {
            fused: Fused::default(),
            graph: b"graph".to_vec(),
        });
        cache.write(&verdict).expect("it can be written");
        assert!(cache.read().is_some());
        fs::write(root.path().join("graphs/key/model.onnx"), b"gra").expect("it can be written");
        assert_eq!(cache.read(), None);
        fs::write(root.path().join("graphs/key/verdict.txt"), b"fused 5 x").expect("written");
        assert_eq!(cache.read(), None);
    }
}
