//! Verdicts and fused graphs in the user's cache directory, a folder each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use multivec_graph::Fused;

const VERDICT: &str = "verdict.txt";
const GRAPH: &str = "model.onnx";

/// What was found out about a graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Verdict {
    /// There is nothing to fuse.
    Original,
    /// The fused graph is far from the published one.
    Refused { distance: f32 },
    /// The fused graph gives the same vectors.
    /// It is kept without the weights that the published one has.
    Fused { fused: Fused, graph: Vec<u8> },
}

pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    /// The entry of that key. `None` on systems without a cache directory.
    pub(super) fn open(root: Option<&Path>, key: &str) -> Option<Self> {
        let root = match root {
            Some(root) => root.to_owned(),
            None => dirs::cache_dir()?.join("multivec"),
        };
        Some(Self {
            folder: root.join("graphs").join(key),
        })
    }

    /// The verdict, if there is one that can be read.
    pub(super) fn read(&self) -> Option<Verdict> {
        let text = fs::read_to_string(self.folder.join(VERDICT)).ok()?;
        let mut words = text.split_whitespace();
        Some(match words.next()? {
            "published" => Verdict::Original,
            "refused" => Verdict::Refused {
                distance: words.next()?.parse().ok()?,
            },
            "fused" => {
                let mut number = || words.next()?.parse::<usize>().ok();
                // A graph that was cut short has another size.
                let size = number()?;
                let counts: Option<Vec<usize>> = (0..Fused::COUNT).map(|_| number()).collect();
                let fused = Fused::from_counts(counts?.try_into().ok()?);
                let graph = fs::read(self.folder.join(GRAPH)).ok()?;
                (graph.len() == size).then_some(Verdict::Fused { fused, graph })?
            }
            _ => return None,
        })
    }

    /// Keeps a verdict; the graph first, so that a verdict is never without.
    pub(super) fn write(&self, verdict: &Verdict) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        if let Verdict::Fused { graph, .. } = verdict {
            self.write_file(GRAPH, graph)?;
        }
        let text = match verdict {
            Verdict::Original => "published".to_owned(),
            Verdict::Refused { distance } => format!("refused {distance}"),
            Verdict::Fused { fused, graph } => {
                let counts = fused.counts().map(|count| count.to_string());
                format!("fused {} {}", graph.len(), counts.join(" "))
            }
        };
        self.write_file(VERDICT, text.as_bytes())
    }

    /// Writes aside and renames, so that other processes see all or nothing.
    fn write_file(&self, name: &str, content: &[u8]) -> io::Result<()> {
        let aside = self.folder.join(format!("{name}.{}", std::process::id()));
        fs::write(&aside, content)?;
        fs::rename(&aside, self.folder.join(name)).inspect_err(|_| {
            // What is left aside would be of no use to anybody.
            drop(fs::remove_file(&aside));
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used)]

    use super::*;

    fn entry(root: &Path) -> Cache {
        Cache::open(Some(root), "key").expect("a folder was given")
    }

    #[test]
    fn verdicts_are_read_as_they_were_written() {
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
        let fused = Fused {
            attentions: 2,
            gelus: 3,
            nodes_after: 4,
            ..Fused::default()
        };
        let graph = root.path().join("graphs/key/model.onnx");
        let written = Verdict::Fused {
            fused,
            graph: b"graph".to_vec(),
        };
        cache.write(&written).expect("it can be written");
        assert_eq!(fs::read(&graph).expect("it is there"), b"graph");
        assert_eq!(cache.read(), Some(written));
    }

    #[test]
    fn a_graph_that_was_cut_short_does_not_count() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let cache = entry(root.path());
        let verdict = Verdict::Fused {
            fused: Fused::default(),
            graph: b"graph".to_vec(),
        };
        cache.write(&verdict).expect("it can be written");
        assert!(cache.read().is_some());
        fs::write(root.path().join("graphs/key/model.onnx"), b"gra").expect("it can be written");
        assert_eq!(cache.read(), None);
        fs::write(root.path().join("graphs/key/verdict.txt"), b"fused 5 x").expect("written");
        assert_eq!(cache.read(), None);
    }
}
