//! Small models with heads, and the logits that transformers computes:
//! `tests/fixtures/heads`.

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;

use multivec_core::batch::TokenBatch;
use multivec_graph::architectures::{Head, build};
use multivec_graph::safetensors::WeightIndex;
use multivec_graph::{Bytes, ExternalLocation, Graph, embed_bytes, widen_stored};
use serde_json::Value;

use crate::folders::fixture;

/// The id of padding.
const PADDING: i64 = 1;

/// A model, and what it gives for some texts.
pub struct HeadModel {
    /// The folder's name.
    pub name: String,
    folder: PathBuf,
    expected: Value,
}

/// A text as the model has been given it.
#[derive(Clone)]
pub struct HeadText {
    pub ids: Vec<i64>,
    /// 1 for tokens of the second segment.
    pub types: Vec<i64>,
    /// `[positions, columns]`, of as many positions as tokens or of one.
    pub logits: Vec<f32>,
}

impl HeadModel {
    /// All of them, in the order of their names.
    pub fn all() -> Vec<Self> {
        let entries = fs::read_dir(fixture("heads")).expect("the folder is there");
        let folders = entries.map(|entry| entry.expect("an entry").path());
        let mut all: Vec<Self> = folders
            .filter(|folder| folder.is_dir())
            .map(|folder| Self {
                name: folder
                    .file_name()
                    .map(|name| name.to_string_lossy().into_owned())
                    .unwrap_or_default(),
                expected: serde_json::from_slice(&read(&folder, "expected.json")).expect("JSON"),
                folder,
            })
            .collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        assert!(!all.is_empty());
        all
    }

    /// The graph, with its weights.
    pub fn graph(&self) -> Graph {
        let weights = read(&self.folder, "model.safetensors");
        let mut index = WeightIndex::new();
        let read_weights = index.read_file("model.safetensors", Cursor::new(&weights));
        read_weights.expect("a safetensors file");
        let tokens: Vec<u32> =
            serde_json::from_value(self.expected["tokens"].clone()).unwrap_or_default();
        let head = match self.expected["head"].as_str() {
            Some("masked") => Head::MaskedLanguageModel,
            Some("causal") => Head::causal(&tokens),
            _ => Head::SequenceClassification,
        };
        let config = read(&self.folder, "config.json");
        let built = build("config.json", &config, &index, head);
        let mut graph = built
            .unwrap_or_else(|error| panic!("{}: {error}", self.name))
            .graph;
        for tensor in &mut graph.proto_mut().initializer {
            let Some(location) = ExternalLocation::of(tensor) else {
                continue;
            };
            let start = location.offset as usize;
            let end = start + location.length.expect("a length") as usize;
            let bytes = widen_stored(tensor, Bytes::copy_from_slice(&weights[start..end]));
            embed_bytes(tensor, bytes);
        }
        graph
    }

    /// The texts that `expected.json` has.
    pub fn texts(&self) -> Vec<HeadText> {
        let list = |value: &Value| value.as_array().expect("a list").clone();
        let numbers =
            |value: &Value| -> Option<Vec<i64>> { serde_json::from_value(value.clone()).ok() };
        let texts = list(&self.expected["texts"]);
        let logits = list(&self.expected["logits"]);
        let pairs = texts.iter().zip(&logits);
        pairs
            .map(|(text, logits)| {
                let ids = numbers(&text["ids"]).expect("ids");
                HeadText {
                    types: numbers(&text["types"]).unwrap_or_else(|| vec![0; ids.len()]),
                    logits: serde_json::from_value(logits.clone()).expect("numbers"),
                    ids,
                }
            })
            .collect()
    }
}

/// A batch of texts, padded to `length` tokens.
pub fn batch(texts: &[HeadText], length: usize) -> TokenBatch {
    let padded = |values: fn(&HeadText) -> &Vec<i64>, padding: i64| -> Vec<i64> {
        let rows = texts.iter().map(values);
        rows.flat_map(|row| {
            let padding = std::iter::repeat_n(padding, length - row.len());
            row.iter().copied().chain(padding)
        })
        .collect()
    };
    let mut batch = TokenBatch::unpadded(texts.len(), padded(|text| &text.ids, PADDING));
    let tokens = texts
        .iter()
        .flat_map(|text| (0..length).map(|at| i64::from(at < text.ids.len())));
    batch.attention_mask = tokens.collect();
    batch.token_type_ids = Some(padded(|text| &text.types, 0));
    batch
}

fn read(folder: &std::path::Path, name: &str) -> Vec<u8> {
    let path = folder.join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
