//! The graphs of `tests/fixtures/families`, the texts, and what graphs give.

use std::path::{Path, PathBuf};

use multivec::{Embedding, Precision};
use multivec_testing::folders::fixture;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::bound::{Bound, Row};

pub(crate) fn read(name: &str) -> Vec<u8> {
    read_from(fixture("families").join(name))
}

fn read_from(path: PathBuf) -> Vec<u8> {
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The folder of the graphs: another one for more of them than are committed.
fn folder() -> PathBuf {
    std::env::var_os("FAMILIES").map_or_else(|| fixture("families"), PathBuf::from)
}

/// A graph.
pub(crate) struct Family {
    /// The exporter, or the tool that has rewritten an export, and the file.
    pub(crate) name: String,
}

impl Family {
    pub(crate) fn all() -> Vec<Self> {
        // Some of them, for work on a few.
        let only = std::env::var("FAMILY").unwrap_or_default();
        let mut found = Vec::new();
        for exporter in entries(&folder()).filter(|path| path.is_dir()) {
            for file in entries(&exporter) {
                let relative = file.strip_prefix(folder()).expect("it is in the folder");
                let name = relative.to_str().expect("a name in UTF-8");
                if let Some(name) = name
                    .strip_suffix(".onnx")
                    .filter(|name| name.contains(&only))
                {
                    found.push(Self {
                        name: name.replace('\\', "/"),
                    });
                }
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        assert!(!found.is_empty());
        found
    }

    pub(crate) fn exporter(&self) -> &str {
        self.name.split_once('/').expect("a folder").0
    }

    /// The family, without the exporter and the implementation of attention.
    pub(crate) fn family(&self) -> &str {
        let name = self.name.split_once('/').expect("a folder").1;
        ["-eager", "-sdpa"]
            .iter()
            .find_map(|attention| name.strip_suffix(attention))
            .unwrap_or(name)
    }

    pub(crate) fn model(&self) -> Vec<u8> {
        read_from(folder().join(format!("{}.onnx", self.name)))
    }

    pub(crate) fn precision(&self) -> Precision {
        match self.exporter() {
            "int8" | "bits-8" => Precision::Int8,
            "bits-4" | "bits-4-asymmetric" => Precision::Int4,
            "float16" | "float16-output" => Precision::Fp16,
            _ => Precision::Fp32,
        }
    }

    /// How near rows of kept tokens are to be.
    pub(crate) fn bound(&self, kind: &str, texts: &[Text]) -> Bound {
        let expected = kept_of(&self.rows(kind), texts);
        match self.exporter() {
            // Rows are quantized one by one, not a text at a time.
            "int8" => Bound::Quantized {
                original: kept_of(&self.rows(&format!("{kind}.original")), texts),
                expected,
            },
            // ONNX Runtime rounds what it computes to 16 bits.
            "float16" | "float16-output" => Bound::within(0.03, expected),
            _ => Bound::within(1e-5, expected),
        }
    }

    /// What the graph gives for all tokens, of unit length.
    fn rows(&self, kind: &str) -> Vec<Row> {
        let bytes = read_from(folder().join(format!("{}.safetensors", self.name)));
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensor = file.tensor(kind).expect("the tensor is there");
        let values = tensor.data().chunks_exact(4);
        let values = values.map(|value| f32::from_le_bytes(value.try_into().expect("four bytes")));
        let values: Vec<f32> = values.collect();
        values.chunks_exact(tensor.shape()[1]).map(unit).collect()
    }
}

fn unit(row: &[f32]) -> Row {
    let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
    row.iter().map(|value| value / norm).collect()
}

fn kept_of(rows: &[Row], texts: &[Text]) -> Vec<Row> {
    let ids = texts
        .iter()
        .flat_map(|text| text.ids.iter().map(move |&id| (text, id)));
    assert_eq!(rows.len(), ids.clone().count());
    let kept = rows
        .iter()
        .zip(ids)
        .filter(|(_, (text, id))| text.keeps(*id));
    kept.map(|(row, _)| row.clone()).collect()
}

/// The rows of all texts, of as many as are kept.
pub(crate) fn rows_of(found: &[Embedding], texts: &[Text]) -> Vec<Row> {
    for (found, text) in found.iter().zip(texts) {
        let kept = text.ids.iter().filter(|&&id| text.keeps(id));
        assert_eq!(found.tokens(), kept.count(), "{:?}", text.text);
    }
    let rows = found
        .iter()
        .flat_map(|found| found.as_slice().chunks_exact(found.dim()));
    rows.map(<[f32]>::to_vec).collect()
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder can be read");
    entries.map(|entry| entry.expect("an entry").path())
}

/// A text as the graphs have been given it.
pub(crate) struct Text {
    pub(crate) text: String,
    pub(crate) ids: Vec<u32>,
    is_document: bool,
}

impl Text {
    /// Whether the rows of this id are kept: those of the skiplist are not, in
    /// documents.
    fn keeps(&self, id: u32) -> bool {
        !(self.is_document && SKIPPED.contains(&id))
    }
}

/// The full stop and the comma.
const SKIPPED: [u32; 2] = [9, 8];

pub(crate) fn texts(kind: &str) -> Vec<Text> {
    let inputs: Value = serde_json::from_slice(&read("inputs.json")).expect("JSON");
    let texts = inputs[kind].as_array().expect("an array").iter();
    let text = |text: &Value| Text {
        text: text["text"].as_str().expect("a text").to_owned(),
        ids: serde_json::from_value(text["ids"].clone()).expect("ids"),
        is_document: kind == "documents",
    };
    texts.map(text).collect()
}
